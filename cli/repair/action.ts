/** What `pipeline repair` does. */
import { resolve } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { type Held, repairBus } from "../../pipeline/bus/nats/repair.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { readOrigin } from "../../pipeline/results/origin.ts";
import { eachPiece } from "../../pipeline/results/pieces.ts";
import { type BusOptions, withBus } from "../parts/with-bus.ts";

export interface RepairOptions extends BusOptions {
  readonly results: readonly string[];
}

export const repair = async (options: RepairOptions): Promise<void> => {
  const folders = await Promise.all(options.results.map(openFolder));
  const say = (what: string) => void process.stdout.write(`${what}\n`);
  let repairs = 0;
  async function* held(): AsyncGenerator<Held> {
    for (const { folder, data } of folders) {
      const damaged = ({ reason }: { readonly reason: string }) => say(`${reason}; it cannot be published from here`);
      for await (const { report, wells } of eachPiece(folder, damaged)) yield { report, wells, data };
    }
  }
  await withBus(options, async (parts) => {
    const publisher = openEventPublisher(natsEvents(parts), "repair", () => "");
    await repairBus(parts, publisher, held, (what) => {
      repairs += 1;
      say(what);
    });
  });
  if (repairs === 0) say("nothing is wrong");
};

/** @throws PlatestreamError `invalid-config` where no run has written */
const openFolder = async (path: string): Promise<{ readonly folder: string; readonly data: string }> => {
  const folder = resolve(path);
  const origin = await readOrigin(folder);
  if (origin === undefined)
    throw new PlatestreamError(
      "invalid-config",
      `--results takes the results' folder of a node, and ${folder} is none`,
    );
  return { folder: resolve(folder, "experiments"), data: origin.data };
};
