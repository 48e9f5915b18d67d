/** The same images with 8 and with 16 bit, from files to a trained network and from files to features. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { from, lastValueFrom, toArray } from "rxjs";
import { seededRandom } from "../../common/random.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import type { SitePrediction } from "../../pipeline/stage/items.ts";
import type { Context } from "../../pipeline/stage/stage.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { batchByExperiment } from "../../stages/batch-by-experiment.ts";
import { decode } from "../../stages/decode.ts";
import { infer } from "../../stages/infer.ts";
import { normalize } from "../../stages/normalize.ts";
import { inProcessWorkers } from "../../testing/in-process-workers.ts";
import { parseRecipe } from "../../training/loop/recipe.ts";
import { trainBundle } from "../../training/loop/train-bundle.ts";
import { contextFor } from "../kit/context.ts";
import { fileOf, temporaryFolder } from "../kit/experiment.ts";

const size = 16;

/** Two experiments of 12 sites, 4 treatments; every value of a pixel is what `write` makes of it. */
const writeDataset = async (
  folder: string,
  type: string,
  write: (grey: Uint8Array) => Uint8Array | Uint16Array,
): Promise<LoadableDataset> => {
  const experiments: Experiment[] = [];
  for (const id of ["A-01", "A-02"]) {
    const random = seededRandom(id);
    const sites: Site[] = [];
    for (let well = 0; well < 12; well++) {
      const path = join(folder, `${id}-${well}.${type}`);
      const grey = Uint8Array.from({ length: size * size }, (_, i) =>
        Math.floor(30 * random() + (Math.floor(i / size) === 3 * (well % 4) ? 150 : 20)),
      );
      await writeGreyImage(path, write(grey), size, size);
      const place = {
        experiment: id,
        cellType: "A",
        plate: "1",
        well: `B${String(well + 2).padStart(2, "0")}`,
        site: 1,
      };
      sites.push({
        ...place,
        wellType: "treatment",
        treatment: String(well % 4),
        images: [imageAt(path)],
        metadata: {},
      });
    }
    experiments.push({ id, cellType: "A", plates: ["1"], sites });
  }
  return {
    root: folder,
    channels: ["w1"],
    experiments: experiments.map(({ id, cellType, sites }) => ({ id, cellType, sites: sites.length })),
    load: async (id) => experiments.find((experiment) => experiment.id === id)!,
  };
};

const train = async (
  dataset: LoadableDataset,
  pixelScale: number,
  onEpoch: (line: string) => void = () => undefined,
) => {
  const recipe = parseRecipe(
    {
      architecture: { growth: 4, blocks: [1, 2], init: 8, bottleneck: 2, stem: "small" },
      pixelScale,
      microBatch: 4,
      accumulate: 2,
      calibrationImages: 8,
      stages: [{ name: "whole", images: "training", epochs: 2, rate: 0.01 }],
    },
    "the test's recipe",
  );
  const out = join(dataset.root, "bundle");
  const stop = new AbortController().signal;
  const about = { name: "test", provider: "cpu" as const, threads: 1, cacheBytes: 2 ** 20, checkpointMinutes: 10 };
  await trainBundle(dataset, { recipe, out, ...about, stop, onStep: () => undefined, onEpoch });
  return readBundle(out);
};

const featuresOf = async (
  t: TestContext,
  bundle: Awaited<ReturnType<typeof readBundle>>,
  experiment: Experiment,
  options: Record<string, unknown>,
): Promise<ReadonlyMap<string, Float32Array>> => {
  const engine = await openEngine([bundle], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { context } = contextFor(experiment, inProcessWorkers(engine));
  const apply = (stage: typeof decode | typeof normalize | typeof batchByExperiment | typeof infer, given = {}) =>
    (stage.apply as (config: unknown, context: Context) => never)(stage.config.parse(given), context);
  const predictions = (await lastValueFrom(
    from(experiment.sites).pipe(
      apply(decode),
      apply(normalize, options),
      apply(batchByExperiment, { size: 4 }),
      apply(infer),
      toArray(),
    ),
  )) as SitePrediction[];
  return new Map(predictions.map(({ site, features }) => [site.well, features]));
};

test("training - 16-bit images make the same network as the same values with 8 bit", async (t) => {
  const eight = await writeDataset(await temporaryFolder(t), "png", (grey) => grey);
  const sixteen = await writeDataset(await temporaryFolder(t), "tiff", (grey) => Uint16Array.from(grey));
  const [one, other] = [await train(eight, 1 / 255), await train(sixteen, 1 / 255)];
  assert.equal(other.manifest.cellTypes.A!.sha256, one.manifest.cellTypes.A!.sha256);
});

test("run and training - 16-bit images over the full range give the features of their 8-bit twins", async (t) => {
  const eight = await writeDataset(await temporaryFolder(t), "png", (grey) => grey);
  const sixteen = await writeDataset(await temporaryFolder(t), "tiff", (grey) =>
    Uint16Array.from(grey, (v) => v * 257),
  );
  const bundle = await train(eight, 1 / 255);
  const deep = await train(sixteen, 1 / 65535);
  assert.equal(deep.manifest.input.scale, 1 / 65535);
  const [small, large] = [await eight.load("A-02"), await sixteen.load("A-02")];
  const expected = await featuresOf(t, bundle, small, {});
  assert.equal(expected.size, 12);
  const cases = [
    ["a run with a stated affine", await featuresOf(t, bundle, large, { by: "given", std: 65535 }), 1e-4],
    ["a run with the statistics of the plate", await featuresOf(t, bundle, large, { by: "plate" }), undefined],
    ["a network trained on 16 bit", await featuresOf(t, deep, large, {}), 0.05],
  ] as const;
  for (const [what, features, tolerance] of cases) {
    const twins = tolerance === undefined ? await featuresOf(t, bundle, small, { by: "plate" }) : expected;
    for (const [well, vector] of twins)
      vector.forEach((value, i) => {
        const got = features.get(well)![i]!;
        assert.ok(
          Math.abs(got - value) <= (tolerance ?? 1e-4) * (1 + Math.abs(value)),
          `${what}: ${well} ${got} ${value}`,
        );
      });
  }
});

test("training - a site that cannot be read is left out, with file and reason, and depths are not mixed", async (t) => {
  const dataset = await writeDataset(await temporaryFolder(t), "png", (grey) => grey);
  const [, second] = (await dataset.load("A-01")).sites;
  await writeFile(fileOf(second!), "no image");
  const lines: string[] = [];
  await train(dataset, 1 / 255, (line) => lines.push(line));
  const reported = lines.filter((line) => line.includes("left out"));
  assert.deepEqual(reported, [
    `A: A-01 plate 1 B03 site 1 is left out: ${fileOf(second!)}: the file is not an image of a format that is known here; ` +
      "PNG and TIFF are read: convert it without loss",
  ]);

  const mixed = await writeDataset(await temporaryFolder(t), "png", (grey) => grey);
  await writeGreyImage(fileOf((await mixed.load("A-01")).sites[5]!), new Uint16Array(size * size), size, size);
  await assert.rejects(
    train(mixed, 1 / 255),
    /all images of a training must have one depth: those of A-01 plate 1 B07 site 1 have 16 bit, the first 8|have 8 bit, the first 16/,
  );
});
