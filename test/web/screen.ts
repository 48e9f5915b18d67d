/** A screen of two plates, with images on disk and a store of events that a test fills. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { BusEvent } from "../../pipeline/events/event.ts";
import { type FileEvents, openFileEvents } from "../../pipeline/events/file.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { openView, type View, type ViewOptions } from "../../web/server/open-view.ts";
import { openStoreSource } from "../../web/server/sources/store.ts";
import type { ScreenFiles } from "../../web/server/view-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

export const side = 16;
export const wellNames = ["B02", "B03", "B04", "C02", "C03"];

export interface MadeScreen {
  readonly experiment: Experiment;
  readonly files: ScreenFiles;
  readonly events: FileEvents;
  call(plate: string, well: string, treatment: string, probability?: number): Promise<void>;
  state(state: Extract<BusEvent, { kind: "state" }>["state"], reason?: string): Promise<void>;
}

/** Well n of a plate holds treatment n; `treatments` and `plates` may be anything, as in tables of other people. */
export const makeScreen = async (
  t: TestContext,
  id = "HUVEC-01",
  plates: readonly string[] = ["1", "2"],
  treatments: readonly string[] = ["t0", "t1", "t2", "t3", "t4"],
): Promise<MadeScreen> => {
  const folder = await temporaryFolder(t);
  const image = join(folder, "site.tiff");
  const ramp = Uint16Array.from({ length: side * side }, (_, i) => 100 + i * 16);
  await writeGreyImage(image, ramp, side, side);
  const siteOf = (plate: string, well: string, index: number, site: number): Site => ({
    experiment: id,
    cellType: "HUVEC",
    plate,
    well,
    site,
    wellType: index === 4 ? "negative_control" : "treatment",
    treatment: treatments[index]!,
    images: [imageAt(image), imageAt(image)],
    metadata: { Dose: String(index / 2), Batch: "b1" },
  });
  const sites = plates.flatMap((plate) =>
    wellNames.flatMap((well, index) => [1, 2].map((site) => siteOf(plate, well, index, site))),
  );
  const experiment: Experiment = { id, cellType: "HUVEC", plates, sites };
  const events = await openFileEvents(join(folder, "events.jsonl"));
  t.after(() => events.close());
  const about = () => ({ experiment: id, cellType: "HUVEC", node: "node-1", at: new Date().toISOString() });
  return {
    experiment,
    files: { channels: ["DNA", "ER"], experiments: [{ id }], load: async () => experiment },
    events,
    call: (plate, well, treatment, probability = 0.9) =>
      events.append(
        {
          kind: "call",
          ...about(),
          plate,
          well,
          treatment,
          probability,
          margin: probability / 2,
          alternatives: [{ treatment, probability }],
          strategy: "argmax",
          flags: [],
          model: "m v1",
          statistics: "batch",
        } as BusEvent,
        { id: `${id} ${plate} ${well}`, once: true },
      ),
    state: (state, reason = "") =>
      events.append(
        { kind: "state", ...about(), state, attempt: 1, attempts: 1, reason, calls: 10, seconds: 2 } as BusEvent,
        { id: `${id} ${state} ${Date.now()}` },
      ),
  };
};

export const serveScreen = async (
  t: TestContext,
  { files, events, experiment }: MadeScreen,
  options: Partial<ViewOptions> = {},
): Promise<View> => {
  const view = await openView({
    source: openStoreSource({ name: "test", files, events, experiments: [experiment.id] }),
    listen: "127.0.0.1:0",
    identity: undefined,
    insecure: false,
    tokens: undefined,
    onProblem: (problem) => t.diagnostic(String(problem)),
    ...options,
  });
  t.after(() => view.close());
  return view;
};
