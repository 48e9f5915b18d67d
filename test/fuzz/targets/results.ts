/** What a run finds in its folder. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Target } from "../target.ts";

const about = { experiment: "A", cellType: "HUVEC", node: "n", at: "2026-01-01T00:00:00Z" };
const line = (event: object, once?: string) =>
  JSON.stringify({ event: { ...about, ...event }, ...(once === undefined ? {} : { once }) });
const call = {
  kind: "call",
  plate: "1",
  well: "B02",
  treatment: "s",
  probability: 0.5,
  margin: 0.1,
  alternatives: [],
  flags: [],
};
const events = [
  line({ kind: "state", state: "queued" }, "A queued"),
  line({ kind: "state", state: "running", attempt: 1 }),
  line(call, "A 1 B02"),
  line({ kind: "state", state: "failed", attempts: 1, reason: "no" }),
  line({ kind: "state", state: "done", attempts: 2, calls: 1, seconds: 1 }, "A done"),
];

const report = {
  experiment: "A",
  cellType: "HUVEC",
  wells: 1,
  called: 1,
  featureCount: 2,
  leftOut: [],
  notes: [],
  models: [],
};
const wells = [
  {
    plate: "1",
    well: "B02",
    wellType: "treatment",
    metadata: {},
    call: { treatment: "s", sites: [1] },
    flags: [],
    reasons: [],
  },
];

const readAll = async (events: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of events);
};

export const results: readonly Target[] = [
  {
    name: "events.jsonl",
    parsers: ["pipeline/events/file.ts"],
    seeds: [`${events.join("\n")}\n`, `{"after":7}\n${events[0]}\n`, events.slice(0, 2).join("\n"), ""],
    words: ['{"after":', '"event":', '"once":', '"kind":"state"', '"state":"done"', "\n"],
    async open(folder) {
      const { openFileEvents, readFileEvents, restartFileEvents } = await import("../../../pipeline/events/file.ts");
      const path = join(folder, "events.jsonl");
      const { signal } = new AbortController();
      return async (input) => {
        for (const name of await readdir(folder)) await rm(join(folder, name));
        await writeFile(path, input);
        const unreadable = await readAll(readFileEvents(path).follow({}, { after: 0, signal })).catch((error) => error);
        const open = await openFileEvents(path, { published: input.length % 3 === 0 ? ["A"] : [] });
        try {
          const before = await open.last();
          await open.append({ kind: "state", ...about, state: "queued" }, { id: "Z queued", once: false });
          if ((await open.last()) !== before + 1) throw new Error("an event has not the next number");
          await readAll(open.follow({}, { after: 0, storedOnly: true, signal }));
        } finally {
          await open.close();
        }
        if (input.length % 7 === 0) await restartFileEvents(path);
        if (unreadable instanceof Error) throw unreadable;
      };
    },
  },
  {
    name: "bus.json",
    parsers: [],
    seeds: [
      "[]",
      JSON.stringify([{ id: "A", cellType: "HUVEC", data: "/d", state: "running", attempts: 1 }]),
      JSON.stringify([{ id: "A", cellType: "HUVEC", data: "/d", state: "waiting", attempts: 1, reason: "no" }]),
      JSON.stringify({ A: { cellType: "HUVEC", data: "/d", state: "done", attempts: 1 } }),
    ],
    words: ["queued", "running", "waiting", "done", "failed", "attempts", "id", "data", "cellType", "reason"],
    async open(folder) {
      const { openEmbeddedBus } = await import("../../../pipeline/bus/embedded.ts");
      const path = join(folder, "bus.json");
      const stop = new AbortController();
      return async (input) => {
        await writeFile(path, input);
        const bus = await openEmbeddedBus({ path });
        await bus.submit([
          { id: "A", cellType: "HUVEC", data: "/d" },
          { id: "B", cellType: "RPE", data: "/d" },
        ]);
        bus.unsettled();
        const delivery = await bus.take(stop.signal);
        if (delivery === undefined) throw new Error("nothing is queued, although something was submitted");
        await [
          () => delivery.done(),
          () => delivery.retry("no", 0),
          () => delivery.fail("no", "infer", 1),
          () => delivery.requeue(),
        ][input.length % 4]!();
        await bus.close();
      };
    },
  },
  {
    name: "report.json",
    parsers: ["pipeline/results/pieces.ts"],
    seeds: [
      `${JSON.stringify(report)}\n${JSON.stringify(wells)}`,
      `${JSON.stringify({ ...report, wells: 0, called: 0 })}\n[]`,
      `${JSON.stringify(report)}\nnull`,
    ],
    words: ["experiment", "wells", "called", "featureCount", "sha256", "call"],
    async open(folder) {
      const { inOrder, openPieces, writePiece } = await import("../../../pipeline/results/pieces.ts");
      return async (input) => {
        await rm(folder, { recursive: true, force: true });
        await mkdir(join(folder, "A"), { recursive: true });
        const [first = "", second = ""] = Buffer.from(input).toString("utf8").split("\n");
        await writeFile(join(folder, "A", "report.json"), first);
        await writeFile(join(folder, "A", "wells.json"), second);
        await writeFile(join(folder, "A", "features.f32"), Buffer.alloc(8 * (input.length % 3)));
        if (input.length % 5 === 0) await mkdir(join(folder, ".part-B"));
        const found = await openPieces(folder, () => undefined);
        inOrder(found.values());
        if (input.length % 4 === 0) await writeFile(join(folder, "A", "notes.txt"), "of somebody else");
        if (input.length % 2 !== 0 || found.has("A")) return;
        await writePiece(folder, { report, wells, features: new Float32Array(2) } as never);
        const again = await openPieces(folder, ({ reason }) => {
          throw new Error(reason);
        });
        if (!again.has("A")) throw new Error("a piece that was written is not there");
      };
    },
  },
  {
    name: "origin.json",
    parsers: ["pipeline/results/origin.ts"],
    seeds: [JSON.stringify({ data: "/d", layout: "auto", models: ["m HUVEC 1"], stages: ["decode {}"] }), "{}"],
    words: ["data", "layout", "models", "stages", "plugins"],
    async open(folder) {
      const { checkOrigin } = await import("../../../pipeline/results/origin.ts");
      const config = {
        ...{ data: "/d", layout: "auto", stages: [{ use: "decode", options: { b: [1, { c: 1 }], a: null } }] },
        models: [{ name: "m", cellType: "HUVEC", version: "1" }],
      };
      return async (input) => {
        await rm(join(folder, "origin.json"), { force: true });
        if (input.length > 1) await writeFile(join(folder, "origin.json"), input);
        await checkOrigin(folder, config as never);
      };
    },
  },
];
