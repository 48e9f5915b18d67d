/** A Python that has packages which tests run against, in a virtual environment of the temporary folder. */
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Needed {
  /** Of the environment's folder. */
  readonly name: string;
  /** As pip takes them. */
  readonly packages: readonly string[];
  /** Python that fails where something is missing. */
  readonly check: string;
  /** Environment variable that names another Python. */
  readonly variable: string;
}

/** Path of a Python with the packages: that of the variable, or one in an environment that is made where it is missing. */
export const findPython = ({ name, packages, check, variable }: Needed): string => {
  const given = process.env[variable];
  const folder = join(tmpdir(), `platestream-${name}`);
  const python = given ?? join(folder, "bin/python");
  if (spawnSync(python, ["-c", check]).status === 0) return python;
  if (given !== undefined) throw new Error(`${given} of ${variable} does not run: ${check}`);
  const install = `python3 -m venv ${folder} && ${python} -m pip install --quiet ${packages.join(" ")}`;
  // Test files run side by side.
  const script = `${python} -c '${check}' 2> /dev/null || { ${install}; }`;
  try {
    execFileSync("flock", [`${folder}.lock`, "sh", "-c", script], { stdio: "pipe", timeout: 420_000 });
  } catch (cause) {
    throw new Error(`this test needs ${packages.join(", ")}; install with: ${install}`, { cause });
  }
  return python;
};
