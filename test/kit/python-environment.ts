/** Pythons that have packages which tests run against, in virtual environments of the temporary folder. */
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Environment {
  /** As pip takes them. */
  readonly packages: readonly string[];
  /** Python that fails where something is missing. */
  readonly check: string;
  /** Environment variable that names another Python. */
  readonly variable: string;
}

export const environments = {
  tritonclient: {
    packages: ["tritonclient[grpc]"],
    check: "import tritonclient.grpc",
    variable: "PLATESTREAM_TRITON_PYTHON",
  },
  tritonserver: {
    packages: ["nvidia-pytriton==0.7.0", "onnxruntime"],
    check: "import onnxruntime, pytriton",
    variable: "PLATESTREAM_TRITONSERVER_PYTHON",
  },
  profiles: {
    packages: ["pandas", "pyarrow", "pycytominer"],
    check: "import pandas, pyarrow, pycytominer",
    variable: "PLATESTREAM_PROFILES_PYTHON",
  },
} as const satisfies Record<string, Environment>;

/** Path of a Python with the packages: that of the variable, or one in an environment that is made where it is missing. */
export const findPython = (name: keyof typeof environments): string => {
  const { packages, check, variable } = environments[name];
  const given = process.env[variable];
  const folder = join(tmpdir(), `platestream-${name}`);
  const python = given ?? join(folder, "bin/python");
  if (spawnSync(python, ["-c", check]).status === 0) return python;
  if (given !== undefined) throw new Error(`${given} of ${variable} does not run: ${check}`);
  const install = `python3 -m venv ${folder} && ${python} -m pip install --quiet ${packages.map((each) => `'${each}'`).join(" ")}`;
  // Test files run side by side.
  const script = `${python} -c '${check}' 2> /dev/null || { ${install}; }`;
  try {
    execFileSync("flock", [`${folder}.lock`, "sh", "-c", script], { stdio: "pipe", timeout: 420_000 });
  } catch (cause) {
    throw new Error(`this test needs ${packages.join(", ")}; install with: ${install}`, { cause });
  }
  return python;
};
