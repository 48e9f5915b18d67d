/** Whole runs on a few small pictures on disk: the loss falls, and an interrupted run ends like an uninterrupted one. */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PlatestreamError } from "../../common/errors.ts";
import { seededRandom } from "../../common/random.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { featureCount } from "../../gpu-worker/network/architecture.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import type { EpochRecord } from "../../training/loop/epoch-record.ts";
import { parseRecipe } from "../../training/loop/recipe.ts";
import { type BundleOptions, trainBundle } from "../../training/loop/train-bundle.ts";

const folder = await mkdtemp(join(tmpdir(), "platestream-train-"));
after(() => rm(folder, { recursive: true }));

const [size, treatments] = [16, 4];

/** Class k is a bright bar in row 3k of the first channel, under noise and a brightness of the experiment's own. */
const picture = (treatment: number, gain: number, random: () => number): Uint8Array =>
  Uint8Array.from({ length: size * size }, (_, i) => {
    const bar = Math.floor(i / size) === 3 * treatment || Math.floor(i / size) === 3 * treatment + 1;
    return gain * (20 + 20 * random() + (bar ? 60 : 0));
  });

const makeExperiment = async (id: string, cellType: string): Promise<Experiment> => {
  const random = seededRandom(id);
  const gain = 0.5 + 1.5 * random();
  const sites: Site[] = [];
  for (const plate of ["1", "2"]) {
    for (let well = 0; well < 8; well++) {
      const control = well >= 6;
      const treatment = control ? treatments : (well % 2) + (plate === "1" ? 0 : 2);
      const name = `${id}-${plate}-${well}`;
      const paths = [0, 1].map((channel) => join(folder, `${name}-${channel}.png`));
      for (const path of paths) await writeGreyImage(path, picture(treatment, gain, random), size, size);
      sites.push({
        experiment: id,
        cellType,
        plate,
        well: `B0${well + 2}`,
        site: 1,
        wellType: control ? "negative_control" : "treatment",
        treatment: String(treatment),
        images: paths.map((path) => imageAt(path)),
        metadata: {},
      });
    }
  }
  return { id, cellType, plates: ["1", "2"], sites };
};

const experiments = await Promise.all(["A-01", "A-02", "A-03"].map((id) => makeExperiment(id, "A")));
const dataset: LoadableDataset = {
  root: folder,
  channels: ["w1", "w2"],
  experiments: experiments.map(({ id, cellType, sites }) => ({ id, cellType, sites: sites.length })),
  load: async (id) => experiments.find((experiment) => experiment.id === id)!,
};

const recipe = parseRecipe(
  {
    architecture: { growth: 4, blocks: [1, 2], init: 8, bottleneck: 2, stem: "small" },
    microBatch: 4,
    accumulate: 2,
    calibrationImages: 8,
    augment: { rot90: false, hflip: true, vflip: false },
    stages: [
      { name: "controls", images: "controls", epochs: 1 },
      { name: "whole", images: "training", epochs: 6, rate: 0.01 },
      { name: "mixup", images: "all", epochs: 1, rate: 0.001, mixup: 1 },
    ],
  },
  "the test's recipe",
);

const options = (out: string, more: Partial<BundleOptions> = {}): BundleOptions => ({
  recipe,
  out: join(folder, out),
  name: "test",
  provider: "cpu",
  threads: 1,
  cacheBytes: 2 ** 20,
  checkpointMinutes: 10,
  stop: new AbortController().signal,
  onStep: () => undefined,
  onEpoch: () => undefined,
  ...more,
});

const records = async (out: string): Promise<EpochRecord[]> => {
  const text = await readFile(join(folder, out, "training/A/metrics.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
};

test("training - the loss falls, and the bundle says what it is", async () => {
  await trainBundle(dataset, options("whole"));
  const losses = (await records("whole")).filter(({ name }) => name === "whole").map(({ loss }) => loss);
  assert.equal(losses.length, 6);
  assert.ok(losses.at(-1)! < 0.8 * losses[0]!, `losses ${losses}`);
  const { manifest, weights } = await readBundle(join(folder, "whole"));
  assert.deepEqual(manifest.classes, ["0", "1", "2", "3"]);
  assert.deepEqual(manifest.plateGroups, [
    [0, 1],
    [2, 3],
  ]);
  assert.equal(manifest.cellTypes.A!.trained, true);
  assert.equal(weights.get("A")!.get("classifier.weight")!.length, 4 * featureCount(manifest.architecture));
  assert.match(await readFile(join(folder, "whole/training/A/curves.svg"), "utf8"), /held-out wells called right/);

  const before = await readBundle(join(folder, "whole/training/before-mixup"));
  assert.deepEqual(before.manifest.classes, manifest.classes);
  assert.notDeepEqual(before.weights.get("A"), weights.get("A"));
});

test("training - interrupted at any step and started again, it ends with the same weights", async () => {
  let steps = 0;
  for (let runs = 0; ; runs++) {
    const stop = new AbortController();
    const onStep = () => {
      steps += 1;
      if (steps % 5 === 0) stop.abort();
    };
    const ended = await trainBundle(dataset, options("pieces", { stop: stop.signal, onStep })).then(
      () => undefined,
      (thrown) => thrown,
    );
    if (ended === undefined) {
      assert.ok(runs > 3, `it was interrupted ${runs} times`);
      break;
    }
    assert.equal((ended as PlatestreamError).code, "cancelled");
  }
  const [whole, pieces] = await Promise.all(["whole", "pieces"].map((out) => readBundle(join(folder, out))));
  assert.equal(pieces!.manifest.cellTypes.A!.sha256, whole!.manifest.cellTypes.A!.sha256);
  const essence = (all: EpochRecord[]) => all.map(({ imagesPerSecond: _, ...rest }) => rest);
  assert.deepEqual(essence(await records("pieces")), essence(await records("whole")));
});

test("training - another recipe does not go on from a checkpoint that is there", async () => {
  await mkdir(join(folder, "other/training/A"), { recursive: true });
  await copyFile(join(folder, "whole/training/A/last.safetensors"), join(folder, "other/training/A/last.safetensors"));
  await assert.rejects(trainBundle(dataset, options("other", { recipe: { ...recipe, seed: 1 } })), {
    code: "invalid-config",
    message: /another recipe/,
  });
});

test("training - a NaN or infinite loss stops the run and names the step", async () => {
  const [stage] = recipe.stages.slice(1, 2);
  const wild = { ...recipe, stages: [{ ...stage!, rate: 1e30 }] };
  await assert.rejects(trainBundle(dataset, options("wild", { recipe: wild })), (thrown) => {
    assert.ok(thrown instanceof PlatestreamError);
    assert.match(thrown.message, /loss is NaN in stage "whole", epoch \d+, micro-batch \d+, images of A-0\d plate \d/);
    return true;
  });
});

test("training - half precision on the CPU is refused with the way out", async () => {
  await assert.rejects(trainBundle(dataset, options("half", { recipe: { ...recipe, precision: "float16" } })), {
    code: "invalid-config",
    message: /set precision to float32/,
  });
});

test("training - CosFace trains, and its bundle holds a linear classifier without bias", async () => {
  const [stage] = recipe.stages.slice(1, 2);
  const cosface = { ...recipe, loss: { ...recipe.loss, kind: "cosface" as const }, stages: [{ ...stage!, epochs: 2 }] };
  await trainBundle(dataset, options("cosface", { recipe: cosface }));
  const { weights } = await readBundle(join(folder, "cosface"));
  assert.deepEqual([...weights.get("A")!.get("classifier.bias")!], [0, 0, 0, 0]);
});

test("training - a computed classifier calls the wells of a network that has learnt for two epochs", async () => {
  const [stage] = recipe.stages.slice(1, 2);
  const computed = parseRecipe(
    { ...recipe, classifier: { kind: "discriminant" }, allViews: true, stages: [{ ...stage!, epochs: 2 }] },
    "the test's recipe",
  );
  const chance = { ...computed, classifier: { kind: "learnt" as const }, stages: [{ ...stage!, epochs: 2 }] };
  await trainBundle(dataset, options("learnt", { recipe: chance }));
  await trainBundle(dataset, options("discriminant", { recipe: computed }));
  const [learnt, discriminant] = await Promise.all([records("learnt"), records("discriminant")]);
  assert.ok(discriminant.at(-1)!.calibrated! > 0.8, `${discriminant.at(-1)!.calibrated} of the wells right`);
  assert.ok(discriminant.at(-1)!.calibrated! > learnt.at(-1)!.calibrated!, "no better than what was learnt");
  const { serving } = (await readBundle(join(folder, "discriminant"))).manifest.cellTypes.A!;
  assert.deepEqual([serving.sites, serving.allViews], ["logits", true]);
});

test("training - of some experiments alone: nothing is known of the others", async () => {
  const [stage] = recipe.stages.slice(1, 2);
  const short = { ...recipe, stages: [{ ...stage!, epochs: 1 }] };
  const lines: string[] = [];
  const onEpoch = (line: string) => lines.push(line);
  const untouched = await trainBundle(dataset, options("one", { recipe: short, only: ["A-02"], onEpoch }));
  assert.deepEqual(untouched.experiments, []);
  assert.match(lines[0]!, /no labelled experiment is held out/);
  await assert.rejects(trainBundle(dataset, options("none", { only: ["A-07"] })), {
    code: "invalid-config",
    message: /has no experiment A-07/,
  });
  await assert.rejects(trainBundle(dataset, options("none", { only: ["A-01"], validation: ["A-02"] })), {
    code: "invalid-config",
    message: /no experiment A-02 to hold out among those that are used/,
  });
});

test("training - the last experiment with labelled treatments is held out; all of them leave nothing to learn from", async () => {
  const [stage] = recipe.stages.slice(1, 2);
  const short = { ...recipe, stages: [{ ...stage!, epochs: 1 }] };
  const unlabelled = (id: string): Experiment => {
    const experiment = experiments.find((each) => each.id === id)!;
    const sites = experiment.sites.map(({ treatment, ...site }) =>
      site.wellType === "treatment" ? site : { ...site, treatment },
    );
    return { ...experiment, sites: sites as Site[] };
  };
  const mixed: LoadableDataset = {
    ...dataset,
    load: async (id) => (id === "A-03" ? unlabelled(id) : experiments.find((experiment) => experiment.id === id)!),
  };
  await trainBundle(mixed, options("mixed", { recipe: short }));
  const { manifest } = await readBundle(join(folder, "mixed"));
  const { validation } = manifest.cellTypes.A!.metrics as { validation: { experiments: string[] } };
  assert.deepEqual(validation.experiments, ["A-02"]);
  await assert.rejects(
    trainBundle(dataset, options("nothing", { recipe: short, validation: ["A-01", "A-02", "A-03"] })),
    { code: "invalid-config", message: /leave one to learn from/ },
  );
});
