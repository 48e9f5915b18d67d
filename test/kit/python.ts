/** A Python with some packages: this machine's, or the one that PLATESTREAM_TEST_PYTHON names. */
import { spawnSync } from "node:child_process";

const has = (python: string, modules: readonly string[]): boolean =>
  spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0;

/**
 * Its path, or the reason that a test is to be skipped with. A Python that was named must have the packages: a machine
 * that names one cannot miss them unseen.
 */
export const pythonWith = (
  ...packages: readonly string[]
): { readonly python: string } | { readonly missing: string } => {
  const named = process.env.PLATESTREAM_TEST_PYTHON;
  const python = named ?? "/usr/bin/python3";
  if (has(python, packages)) return { python };
  const missing = `${python} has not all of ${packages.join(", ")}`;
  if (named !== undefined) throw new Error(`PLATESTREAM_TEST_PYTHON: ${missing}`);
  return { missing: `${missing}; pip install ${packages.join(" ")} for one, and name it with PLATESTREAM_TEST_PYTHON` };
};
