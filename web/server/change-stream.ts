/** Changes as server-sent events: whoever comes back with the number of the last one misses none and gets none twice. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ScreenState } from "./screen-state.ts";

/** Changes that come together go together. */
const gatherMs = 100;
/** Something is said at least so often, so that either side notices when the other is gone. */
const aliveMs = 10_000;

export const streamChanges = async (
  state: ScreenState,
  after: number,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const write = async (text: string): Promise<void> => {
    if (!response.write(text)) await once(response, "drain", { signal });
  };
  let sent = after;
  let wake = (): void => undefined;
  const unwatch = state.watch(() => wake());
  try {
    await write(": connected\n\n");
    while (!signal.aborted) {
      if (state.seq > sent) {
        const change = state.changes(sent);
        sent = change.seq;
        await write(`id: ${sent}\ndata: ${JSON.stringify(change)}\n\n`);
        await sleep(gatherMs, undefined, { signal });
        continue;
      }
      const changed = new Promise<"changed">((resolve) => {
        wake = () => resolve("changed");
      });
      const waited = new AbortController();
      const quiet = sleep(aliveMs, "quiet" as const, { signal: AbortSignal.any([signal, waited.signal]) });
      const what = await Promise.race([changed, quiet]);
      waited.abort();
      quiet.catch(() => undefined);
      if (what === "quiet") await write(": still here\n\n");
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    unwatch();
    response.end();
  }
};
