/** A process of the lock's tests: tries to lock every folder that it is given, at the same moment as its siblings. */
import { lockFolder } from "../../common/folder-lock.ts";

export interface Attempt {
  readonly folder: string;
  readonly atMs: number;
}

process.on("message", async ({ folder, atMs }: Attempt) => {
  while (Date.now() < atMs); // all of them at once
  const got = await lockFolder(folder).then(
    () => "held",
    (error: Error) => error.message,
  );
  process.send!(got);
});
process.send!("ready");
