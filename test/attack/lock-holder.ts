/** Tries to lock a folder at a given moment, holds it for a second, and says whether it got it. */
import { setTimeout as sleep } from "node:timers/promises";
import { lockFolder } from "../../common/folder-lock.ts";

const [folder, at] = process.argv.slice(2);
await sleep(Math.max(0, Number(at) - Date.now()));
try {
  const unlock = await lockFolder(folder!);
  const from = Date.now();
  await sleep(1_000);
  await unlock();
  process.stdout.write(`${JSON.stringify({ from, to: Date.now() })}\n`);
} catch {
  process.stdout.write("null\n");
}
