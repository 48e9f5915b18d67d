/** Events of a file that another process may still be writing. */
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { BusEvent } from "../../pipeline/events/event.ts";

const lookMs = 250;
const chunkBytes = 2 ** 18;
const newline = 10;

/** Every event from the first, then those that come. `idle` is called whenever everything was read. */
export async function* tailEvents(
  path: string,
  signal: AbortSignal,
  idle: () => Promise<void>,
): AsyncGenerator<BusEvent> {
  const file = await open(path, "r");
  try {
    let position = 0;
    let rest = Buffer.alloc(0);
    const chunk = Buffer.alloc(chunkBytes);
    while (!signal.aborted) {
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, position);
      if (bytesRead === 0) {
        await idle();
        await sleep(lookMs, undefined, { signal }).catch(() => undefined);
        continue;
      }
      position += bytesRead;
      rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const end = rest.lastIndexOf(newline);
      if (end < 0) continue;
      for (const line of rest.toString("utf8", 0, end).split("\n")) {
        yield (JSON.parse(line) as { event: BusEvent }).event;
      }
      rest = rest.subarray(end + 1);
    }
  } finally {
    await file.close();
  }
}
