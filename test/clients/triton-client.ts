/** A Python that has NVIDIA's tritonclient. */
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

const has = (python: string, modules: string): boolean => spawnSync(python, ["-c", `import ${modules}`]).status === 0;

/**
 * Path of a Python with `tritonclient[grpc]`: that of PLATESTREAM_TRITON_PYTHON, or one in a virtual environment in the
 * temporary folder, which is made where it is missing.
 */
export const findTritonPython = (): string => {
  const given = process.env.PLATESTREAM_TRITON_PYTHON;
  const folder = join(tmpdir(), "platestream-tritonclient");
  const python = given ?? join(folder, "bin/python");
  if (has(python, "tritonclient.grpc")) return python;
  if (given !== undefined) throw new Error(`${given} of PLATESTREAM_TRITON_PYTHON has no tritonclient.grpc`);
  const install = `python3 -m venv ${folder} && ${python} -m pip install --quiet 'tritonclient[grpc]'`;
  // Test files run side by side.
  const script = `${python} -c 'import tritonclient.grpc' 2> /dev/null || { ${install}; }`;
  try {
    execFileSync("flock", [`${folder}.lock`, "sh", "-c", script], { stdio: "pipe", timeout: 240_000 });
  } catch (cause) {
    throw new Error(`this test needs NVIDIA's client; install it with: ${install}`, { cause });
  }
  return python;
};
