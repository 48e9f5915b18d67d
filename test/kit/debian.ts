/** Programs that tests need beside Node: found on the PATH, or installed from Debian's packages where root may do so. */
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Path of the first of `commands` that runs. Throws, with the line that installs it, where none does and none can be had. */
export const debianProgram = (commands: readonly string[], version: string, ...packages: readonly string[]): string => {
  const find = () => commands.find((each) => spawnSync(each, [version]).status === 0);
  const path = find();
  if (path !== undefined) return path;
  const install = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    throw new Error(`this test needs ${commands[0]}; install it with: ${install}`);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const unlessThere = `command -v ${commands[0]} || { ${install}; }`; // test files run side by side, and apt-get cannot
  execFileSync("flock", [join(tmpdir(), "platestream-install"), "sh", "-c", unlessThere], { stdio: "pipe", env });
  const installed = find();
  if (installed === undefined) throw new Error(`${commands[0]} does not run after ${install}`);
  return installed;
};
