import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { filter, from, map, mergeMap } from "rxjs";
import { z } from "zod";
import { mapUnordered } from "../../common/concurrency.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import type { ExperimentFailure, ExperimentResult } from "../../pipeline/results/result.ts";
import { type NodeOptions, runNode } from "../../pipeline/run/node.ts";
import type { Status } from "../../pipeline/run/status.ts";
import type { Chain } from "../../pipeline/stage/chain.ts";
import { type AnyStage, defineStage } from "../../pipeline/stage/stage.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt, locationsOf } from "../../screen/image-source.ts";
import type { SiteImage } from "../../screen/site-image.ts";
import { stages } from "../../stages/built-in.ts";
import { freeModel, freeWorkers } from "../../testing/free-workers.ts";
import { temporaryFolder, writeExperiment } from "../kit/experiment.ts";

const none = z.strictObject({});
const plugin = (
  apply: (
    items: import("rxjs").Observable<SiteImage>,
    context: import("../../pipeline/plugin.ts").Context,
  ) => import("rxjs").Observable<SiteImage>,
): AnyStage =>
  defineStage({
    name: "mine",
    description: "a test's own stage",
    input: "site-image",
    output: "site-image",
    config: none,
    apply: (_, context) => (items) => apply(items, context),
  });

/** The built-in chain with a user's stage after `decode`. */
const chainWith = (stage?: AnyStage): Chain =>
  [
    stages.decode,
    ...(stage === undefined ? [] : [stage]),
    stages.normalize,
    stages["batch-by-experiment"],
    stages.infer,
    stages["aggregate-sites"],
    stages["plate-assign"],
  ].map((each: AnyStage) => ({
    stage: each,
    options: each.config.parse({}),
    use: each === stage ? "./mine.ts" : each.name,
  }));

interface Outcome {
  readonly results: ExperimentResult[];
  readonly failures: ExperimentFailure[];
  readonly statuses: Status[];
}

const run = async (experiments: Experiment[], chain: Chain, options: Partial<NodeOptions> = {}): Promise<Outcome> => {
  const outcome: Outcome = { results: [], failures: [], statuses: [] };
  const bus = await openEmbeddedBus();
  await bus.submit(experiments.map(({ id, cellType }) => ({ id, cellType, data: "" })));
  await runNode({
    bus,
    chain,
    workers: freeWorkers(freeModel("HUVEC", 8, 8, 2)),
    results: {
      done: () => new Set(),
      confirm: async () => undefined,
      write: async (result) => void outcome.results.push(result),
      fail: async (failure) => void outcome.failures.push(failure),
    },
    load: async ({ id }) => experiments.find((experiment) => experiment.id === id)!,
    memoryBytes: 2 ** 16,
    concurrentExperiments: 1,
    attempts: 2,
    requeues: 0,
    backOffMs: 1,
    drain: new AbortController().signal,
    signal: new AbortController().signal,
    onStatus: (status) => outcome.statuses.push(status),
    ...options,
  });
  return outcome;
};

const setUp = async (t: TestContext): Promise<Experiment> => writeExperiment(await temporaryFolder(t));

/** `plate well` -> called class. */
const callsOf = ({ results }: Outcome): Record<string, string> =>
  Object.fromEntries(
    results.flatMap(({ calls }) =>
      calls.map((call) => [`${call.prediction.plate} ${call.prediction.well}`, call.treatment]),
    ),
  );

const right = { "1 B02": "0", "1 B03": "1", "1 B04": "2", "2 B02": "3", "2 B03": "4", "2 B04": "5" };

test("run - every well of an experiment is called", async (t) => {
  const outcome = await run([await setUp(t)], chainWith());
  assert.deepEqual(callsOf(outcome), right);
  assert.equal(outcome.results[0]!.images, 12);
  assert.deepEqual(outcome.results[0]!.leftOut, []);
});

test("run - memory for a few images is enough for any number of them", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), { plates: 4, wells: 20, size: 8, channels: 1 });
  // 10 images of 64 bytes: batches of 2 fill half of them at the most
  const chain = chainWith().map((link) =>
    link.use === "batch-by-experiment"
      ? { ...link, options: stages["batch-by-experiment"].config.parse({ size: [2, 3], rounds: 3 }) }
      : link.use === "infer"
        ? { ...link, options: stages.infer.config.parse({ images: 4 }) }
        : link,
  );
  const outcome = await run([experiment], chain, {
    memoryBytes: 640,
    workers: freeWorkers(freeModel("HUVEC", 100, 8, 1)),
  });
  assert.equal(Object.keys(callsOf(outcome)).length, 80);
  assert.deepEqual(outcome.failures, []);
});

test("plugin that filters - what it drops neither stalls the run nor keeps its memory", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), { wells: 20, sites: 2, channels: 1 });
  const firstSite = plugin((items) => items.pipe(filter(({ site }) => site.site === 1)));
  // room for 24 of the 80 images, 40 of which are dropped
  const chain = chainWith(firstSite).map((link) =>
    link.use === "infer" ? { ...link, options: stages.infer.config.parse({ images: 8 }) } : link,
  );
  const outcome = await run([experiment], chain, {
    memoryBytes: 24 * 64,
    workers: freeWorkers(freeModel("HUVEC", 40, 8, 1)),
  });
  assert.equal(outcome.results[0]!.images, 40);
  assert.equal(outcome.results[0]!.calls.length, 40);
  assert.ok(outcome.results[0]!.calls.every(({ flags }) => flags.includes("sites-missing")));
});

test("plugin that expands - a site may become several images", async (t) => {
  const mirrored = plugin((items) =>
    items.pipe(
      mergeMap((image) => {
        image.lease.retain();
        return from([image, { ...image, pixels: image.pixels.toReversed() as Uint8Array }]);
      }),
    ),
  );
  const outcome = await run([await setUp(t)], chainWith(mirrored));
  assert.deepEqual(callsOf(outcome), right);
});

test("plugin that throws - the error names plugin, stage, experiment and item; retried, then failed", async (t) => {
  const broken = plugin((items) =>
    items.pipe(
      map((image) => {
        if (image.site.well === "B03") throw new Error("no B03 here");
        return image;
      }),
    ),
  );
  const outcome = await run([await setUp(t)], chainWith(broken));
  assert.equal(outcome.failures.length, 1);
  assert.match(
    outcome.failures[0]!.reason,
    /^stage mine of plugin \.\/mine\.ts \(.*run\.test\.js:\d+:\d+\), experiment HUVEC-01, item plate \d well B03 site \d: no B03 here$/,
  );
  assert.equal(outcome.failures[0]!.attempts, 2);
  assert.equal(outcome.statuses.filter(({ type }) => type === "experiment-waiting").length, 1);
});

test("plugin that throws - other experiments go on, and an attempt that works counts", async (t) => {
  const folder = await temporaryFolder(t);
  const experiments = [
    await writeExperiment(folder, { id: "HUVEC-01" }),
    await writeExperiment(folder, { id: "HUVEC-02" }),
  ];
  let failures = 0;
  const flaky = plugin((items, { experiment }) => {
    if (experiment.id === "HUVEC-01" && failures++ === 0) throw new Error("once");
    return items;
  });
  const outcome = await run(experiments, chainWith(flaky), { concurrentExperiments: 2 });
  assert.deepEqual(outcome.results.map(({ experiment, attempts }) => [experiment.id, attempts]).sort(), [
    ["HUVEC-01", 2],
    ["HUVEC-02", 1],
  ]);
});

test("plugin that is slow - holds up decoding, not memory", async (t) => {
  const experiment = await writeExperiment(await temporaryFolder(t), { wells: 20, channels: 1 });
  let held = 0;
  let most = 0;
  const slow = plugin((items) =>
    items.pipe(
      map((image) => {
        most = Math.max(most, ++held);
        return image;
      }),
      mapUnordered(1, async (image) => {
        await sleep(1);
        held -= 1;
        return image;
      }),
    ),
  );
  const chain = chainWith(slow).map((link) =>
    link.use === "infer" ? { ...link, options: stages.infer.config.parse({ images: 8 }) } : link,
  );
  const outcome = await run([experiment], chain, {
    memoryBytes: 24 * 64,
    workers: freeWorkers(freeModel("HUVEC", 40, 8, 1)),
  });
  assert.equal(outcome.results[0]!.images, 80);
  assert.ok(most <= 24, `${most} images were in flight`);
});

test("run - configuration that cannot work is not retried", async (t) => {
  const experiment = await setUp(t);
  const workers = {
    ...freeWorkers(freeModel("HUVEC", 8, 8)),
    predict: () => Promise.reject(new PlatestreamError("invalid-request", "the model takes 6 channels, got 2")),
  };
  const { failures } = await run([experiment], chainWith(), { workers });
  assert.equal(failures[0]!.attempts, 1);
  assert.match(
    failures[0]!.reason,
    /^stage infer, experiment HUVEC-01, item batch of plate \d: the model takes 6 channels, got 2$/,
  );
});

test("run - draining finishes what runs and takes nothing more", async (t) => {
  const folder = await temporaryFolder(t);
  const experiments = await Promise.all(["HUVEC-01", "HUVEC-02"].map((id) => writeExperiment(folder, { id })));
  const drain = new AbortController();
  const outcome = await run(experiments, chainWith(), {
    drain: drain.signal,
    onStatus: (status) => status.type === "experiment-running" && drain.abort(),
  });
  assert.deepEqual(
    outcome.results.map(({ experiment }) => experiment.id),
    ["HUVEC-01"],
  );
});

test("run - aborting stops at once and hands the experiment back with its attempts", async (t) => {
  const experiment = await setUp(t);
  const bus = await openEmbeddedBus();
  await bus.submit([{ id: experiment.id, cellType: "HUVEC", data: "" }]);
  const abort = new AbortController();
  const stuck = plugin((items) => items.pipe(mapUnordered(1, () => new Promise<SiteImage>(() => {}))));
  setTimeout(() => abort.abort(), 20);
  const outcome = await run([experiment], chainWith(stuck), { bus, signal: abort.signal });
  assert.deepEqual(outcome.failures, []);
  const again = await bus.take(new AbortController().signal);
  assert.equal(again?.attempt, 1);
});

test("run - an unreadable site is left out with file and reason, and its well is called from the other", async (t) => {
  const folder = await temporaryFolder(t);
  const experiment = await writeExperiment(folder);
  const gone = (site: Site): Site => ({
    ...site,
    images: site.images.flatMap(locationsOf).map((path) => imageAt(`${path}.gone`)),
  });
  const sites = experiment.sites.map((site) =>
    site.plate === "1" && ((site.well === "B02" && site.site === 1) || site.well === "B03") ? gone(site) : site,
  );
  const { results } = await run([{ ...experiment, sites }], chainWith());
  assert.deepEqual(results[0]!.leftOut.map(({ stage, site }) => `${stage} ${site.well} ${site.site}`).sort(), [
    "decode B02 1",
    "decode B03 1",
    "decode B03 2",
  ]);
  assert.match(results[0]!.leftOut[0]!.reason, /\.png\.gone: the file is missing/);
  assert.equal(results[0]!.calls.length, 5);
  const b02 = results[0]!.calls.find(({ prediction }) => prediction.plate === "1" && prediction.well === "B02")!;
  assert.ok(b02.flags.includes("sites-missing"));
});

test("no worker is left - the experiment goes back and is no attempt, until that looks like its own doing", async (t) => {
  const experiment = await setUp(t);
  const taken: number[] = [];
  const settled: string[] = [];
  const ends = new AbortController();
  const free = freeWorkers(freeModel("HUVEC", 8, 8, 2));
  const outcome = await run([], chainWith(), {
    bus: {
      submit: async () => ({ queued: 0, known: 0 }),
      close: async () => undefined,
      async take() {
        if (ends.signal.aborted) return undefined;
        taken.push(1);
        return {
          experiment: { id: experiment.id, cellType: "HUVEC", data: "" },
          attempt: 1,
          suspect: false,
          done: async () => ends.abort(),
          retry: async (reason) => {
            settled.push(`retry: ${reason}`);
            ends.abort();
          },
          fail: async () => ends.abort(),
          requeue: async () => void settled.push("requeued"),
        };
      },
    },
    requeues: 2,
    load: async () => experiment,
    workers: {
      ...free,
      predict: async () => {
        throw new PlatestreamError("no-worker", "nobody is left");
      },
    },
  });
  assert.equal(taken.length, 3);
  assert.deepEqual(settled.slice(0, 2), ["requeued", "requeued"]);
  assert.match(settled[2]!, /^retry: \[no-worker\] .*nobody is left/);
  assert.deepEqual(outcome.failures, []);
});

test("an experiment whose last node died runs alone, the others side by side", async (t) => {
  const experiment = await setUp(t);
  const ids = ["HUVEC-01", "HUVEC-02", "HUVEC-03", "HUVEC-04"];
  const [suspect] = ids.slice(2);
  const waiting = [...ids];
  const running = new Set<string>();
  const beside: string[] = [];
  const slow = plugin((images, { experiment: { id } }) =>
    images.pipe(
      mapUnordered(1, async (image) => {
        running.add(id);
        await sleep(1);
        if (running.size > 1) beside.push(...running);
        return image;
      }),
    ),
  );
  const { results } = await run([], chainWith(slow), {
    bus: {
      submit: async () => ({ queued: 0, known: 0 }),
      close: async () => undefined,
      async take() {
        const id = waiting.shift();
        return id === undefined
          ? undefined
          : {
              experiment: { id, cellType: "HUVEC", data: "" },
              attempt: 1,
              suspect: id === suspect,
              done: async () => void running.delete(id),
              retry: async () => undefined,
              fail: async () => undefined,
              requeue: async () => undefined,
            };
      },
    },
    concurrentExperiments: 2,
    load: async ({ id }) => ({ ...experiment, id }),
  });
  assert.deepEqual(results.map((result) => result.experiment.id).sort(), ids);
  assert.deepEqual([...new Set(beside)].sort(), ["HUVEC-01", "HUVEC-02"]);
});

test("the disk for the results is full - what is called is kept and stored when there is room, as the same attempt", async (t) => {
  const stored: number[] = [];
  const { failures, statuses } = await run([await setUp(t)], chainWith(), {
    attempts: 1,
    results: {
      done: () => new Set(),
      confirm: async () => undefined,
      fail: async () => undefined,
      write: async ({ attempts }) => {
        if (stored.push(attempts) < 2) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      },
    },
  });
  assert.deepEqual(stored, [1, 1]);
  assert.deepEqual(failures, []);
  const notes = statuses.flatMap((status) => (status.type === "note" ? [status.message] : []));
  assert.match(notes.join(), /kept until there is room for them \(no space left on device\)/);
  assert.ok(statuses.some(({ type }) => type === "experiment-done"));
});

test("run - an experiment that is adapted to is called by workers of its own, which are closed behind it", async (t) => {
  const closed: string[] = [];
  const [whole, spoilt] = await Promise.all([setUp(t), setUp(t)]);
  const experiments = [whole, { ...spoilt, id: "HUVEC-99" }];
  const own = freeModel("HUVEC", 8, 8, 2);
  const outcome = await run(experiments, chainWith(), {
    adapt: async ({ id }) => ({
      workers: freeWorkers({ ...own, version: id }),
      notes: [`learnt from ${id}`],
      close: async () => void closed.push(id),
    }),
  });
  assert.deepEqual(
    outcome.results.map(({ experiment: { id }, calls, notes }) => [id, calls[0]!.prediction.model.version, notes[0]]),
    experiments.map(({ id }) => [id, id, `learnt from ${id}`]),
  );
  assert.deepEqual(
    closed,
    experiments.map(({ id }) => id),
  );

  const failing = await run([whole], chainWith(), {
    adapt: async () => Promise.reject(new PlatestreamError("unknown-model", "there is none for HUVEC")),
  });
  assert.match(failing.failures[0]!.reason, /there is none for HUVEC/);
});
