/**
 * What a run costs as work grows: experiments, wells, classes, workers, events of the bus. The processor's time of the node
 * is measured, which a delay in the place of a network and other programs leave alone.
 */
import { writeFile } from "node:fs/promises";
import { assignOnce } from "../common/assignment/assign.ts";
import { seededRandom } from "../common/random.ts";
import { natsEvents } from "../pipeline/bus/nats/events.ts";
import { openNats } from "../pipeline/bus/nats/open.ts";
import type { CallEvent } from "../pipeline/events/event.ts";
import { startNatsServer } from "../test/bus/nats-server.ts";
import { type Extent, runDelayed, withWorkers } from "./delayed-run.ts";
import type { Bench, Figure } from "./figure.ts";
import { growthChart, type Series } from "./growth-chart.ts";

type Report = (figure: Figure) => void;

/** One after the other: from how many on, and what so many take. */
interface Sweep {
  readonly name: string;
  readonly of: string;
  readonly counts: readonly number[];
  /** Processor seconds. */
  readonly take: (count: number) => Promise<number>;
}

/** No point of a sweep that is expected to take longer. */
const mostSeconds = 120;
const plate: Extent = { experiments: 1, plates: 1, wells: 96, sites: 1 };
const workersOfRuns = { count: 4, delayMs: 20 };

const cpuOf = async (run: () => unknown): Promise<number> => {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

const runCost = (extent: Extent): Promise<number> =>
  withWorkers({ ...workersOfRuns, classes: Math.max(1232, extent.wells) }, async (workers) => {
    await runDelayed(plate, workers); // compiles what the run goes through
    return cpuOf(() => runDelayed(extent, workers));
  });

/** One worker gets as many images as each of 64. */
const workersCost = (count: number): Promise<number> =>
  withWorkers({ count, delayMs: 200 }, async (workers) => {
    await runDelayed(plate, workers);
    return cpuOf(() => runDelayed({ ...plate, wells: 24, experiments: count }, workers));
  });

/** Every well has evidence for its class, in noise that often hides it. */
const noisyScores = (classes: number): Float64Array[] => {
  const random = seededRandom(`growth ${classes}`);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: classes }, (_, well) =>
    Float64Array.from({ length: classes }, (_, k) => normal() + (k === well ? 3 : 0)),
  );
};

const assignmentCost = (classes: number): Promise<number> => {
  assignOnce(noisyScores(100)); // compiles the solver
  const scores = noisyScores(classes);
  return cpuOf(() => assignOnce(scores));
};

const callOf = (index: number): CallEvent => ({
  kind: "call",
  experiment: `HUVEC-${Math.floor(index / 1000)}`,
  cellType: "HUVEC",
  node: "bench",
  at: new Date(0).toISOString(),
  plate: "1",
  well: String(index % 1000),
  treatment: "1",
  probability: 0.5,
  margin: 1,
  alternatives: [],
  strategy: "once",
  flags: [],
  model: "bench",
  statistics: "calibrated",
});

/** Events are stored 64 at a time, as a node stores them, and read by one subscriber. */
const eventsCost = async (count: number): Promise<number> => {
  const nats = await startNatsServer();
  const parts = await openNats({ url: nats.url, name: "bench", onConnection: () => undefined });
  const events = natsEvents(parts);
  try {
    return await cpuOf(async () => {
      let next = 0;
      const append = async () => {
        while (next < count) {
          const index = next++;
          await events.append(callOf(index), { id: String(index), once: true });
        }
      };
      await Promise.all(Array.from({ length: 64 }, append));
      let read = 0;
      const { signal } = new AbortController();
      for await (const _ of events.follow({}, { after: 0, storedOnly: true, signal })) read += 1;
      if (read !== count) throw new Error(`${read} of ${count} events were read`);
    });
  } finally {
    await parts.close();
    await nats.close();
  }
};

const sweeps: readonly Sweep[] = [
  {
    name: "experiments",
    of: "a run, by experiments of 96 wells",
    counts: [1, 4, 16, 64],
    take: (experiments) => runCost({ ...plate, experiments }),
  },
  {
    name: "wells",
    of: "a run, by wells of its plate",
    counts: [96, 384, 1536],
    take: (wells) => runCost({ ...plate, wells }),
  },
  {
    name: "classes",
    of: "the assignment, by classes (a well each)",
    counts: [2, 32, 277, 1108, 2500, 5000, 10_000],
    take: assignmentCost,
  },
  { name: "workers", of: "a run, by workers, 24 wells for each", counts: [1, 4, 16, 64], take: workersCost },
  {
    name: "events",
    of: "events stored and read, by events",
    counts: [10, 100, 1000, 10_000, 100_000],
    take: eventsCost,
  },
];

/** Seconds beside what they would be, had they grown in proportion since the point before. */
const measure = async ({ name, of, counts, take }: Sweep, report: Report, log: (line: string) => void) => {
  const points: [number, number][] = [];
  for (const count of counts) {
    const [[fewer, least], [few, less]] = [points.at(-2) ?? [0, 0], points.at(-1) ?? [0, 0]];
    const power = least > 0 ? Math.max(1, Math.log(less / least) / Math.log(few / fewer)) : 1;
    const expected = few > 0 ? less * (count / few) ** power : 0;
    if (expected > mostSeconds) {
      log(`${name}: ${count} would take about ${expected.toFixed(0)} s, and is left out`);
      break;
    }
    const seconds = await take(count);
    log(`${name}: ${count} take ${seconds.toFixed(3)} CPU s`);
    const reference = few > 0 ? less * (count / few) : seconds;
    report({ figure: `growth.${name}.${count}`, value: seconds, unit: "CPU s", reference, ratio: seconds / reference });
    points.push([count, seconds]);
  }
  return { label: of, points } satisfies Series;
};

export const growth: Bench = {
  name: "growth",
  description:
    "processor seconds of a node for 1 to 64 experiments, 96 to 1,536 wells, 2 to 10,000 classes, 1 to 64 workers, " +
    "10 to 100,000 events; beside each what it would be in proportion to the one before (aim: at most 1.3, but for the " +
    "assignment); draws growth.svg into the current folder",
  async run(report, log) {
    const series: Series[] = [];
    for (const sweep of sweeps) series.push(await measure(sweep, report, log));
    await writeFile("growth.svg", growthChart(series));
    log("growth.svg is drawn");
  },
};
