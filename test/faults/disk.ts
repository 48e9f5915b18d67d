/** A small disk, to be filled: a file system in memory, which only root may mount. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";

export interface Disk {
  readonly folder: string;
  enlarge(): Promise<unknown>;
  unmount(): Promise<unknown>;
}

const run = promisify(execFile);

/** Makes `folder` a disk with so much room, for instance `300k`. */
export const mountDisk = async (folder: string, room: string): Promise<Disk> => {
  await mkdir(folder, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${room}`, "tmpfs", folder]).catch((error: Error) => {
    throw new Error(`a small disk is needed, and it cannot be mounted here (are you root?): ${error.message}`);
  });
  return {
    folder,
    enlarge: () => run("mount", ["-o", "remount,size=64m", folder]),
    unmount: () => run("umount", [folder]),
  };
};
