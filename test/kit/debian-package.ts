/** Programs and libraries that tests need beside npm's packages: Debian's, installed where root may do so. */
import { execFileSync, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Test files run side by side, and apt-get cannot: one at a time, and only once. */
const underLock = (script: string): void => {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("flock", [join(tmpdir(), "platestream-install"), "sh", "-ec", script], { stdio: "pipe", env });
};

/** Runs the `check` of a shell; installs the packages where it fails. Throws with the command where that cannot be done. */
export const needDebianPackage = (what: string, check: string, ...packages: readonly string[]): void => {
  if (spawnSync("sh", ["-c", check]).status === 0) return;
  const install = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    throw new Error(`${what} is needed; install it with: ${install}`);
  }
  underLock(`{ ${check}; } || { ${install}; }`);
};

/** Takes files out of a Debian package, without what it depends on, into `folder`. */
export const takeFromDebianPackage = (name: string, pattern: string, folder: string): void =>
  underLock(`
    test ! -e ${folder}/done || exit 0
    mkdir -p ${folder}/package && cd ${folder}/package
    apt-get download ${name} || { apt-get update && apt-get download ${name}; }
    dpkg-deb --fsys-tarfile *.deb | tar -x -C ${folder} --wildcards '${pattern}'
    rm -r ${folder}/package && touch ${folder}/done`);
