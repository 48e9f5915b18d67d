/** A bundle learns from new experiments, and whatever their labels say makes no difference. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { noReplicates } from "../../common/assignment/replicates.ts";
import { seededRandom, seededShuffle } from "../../common/random.ts";
import type { LoadableDataset } from "../../datasets/dataset.ts";
import { readBundle, writeBundle } from "../../gpu-worker/bundle/bundle.ts";
import { architectureSchema } from "../../gpu-worker/network/architecture.ts";
import { initialWeights } from "../../gpu-worker/network/initialise.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { type AdaptOptions, adaptBundle } from "../../training/adapt/adapt-bundle.ts";
import { adaptRecipeSchema } from "../../training/adapt/adapt-recipe.ts";
import { pseudoLabels } from "../../training/adapt/pseudo-labels.ts";
import { withoutLabels } from "../../training/adapt/unlabelled.ts";
import { recipeSchema } from "../../training/loop/recipe.ts";

const folder = await mkdtemp(join(tmpdir(), "platestream-adapt-"));
after(() => rm(folder, { recursive: true }));

const size = 16;

const makeExperiment = async (id: string): Promise<Experiment> => {
  const random = seededRandom(id);
  const sites: Site[] = [];
  for (const plate of ["1", "2"]) {
    for (let well = 0; well < 4; well++) {
      const path = join(folder, `${id}-${plate}-${well}.png`);
      const pixels = Uint8Array.from({ length: size * size }, (_, i) => 40 * random() + (i % (well + 3)) * 20);
      await writeGreyImage(path, pixels, size, size);
      sites.push({
        experiment: id,
        cellType: "A",
        plate,
        well: `B0${well + 2}`,
        site: 1,
        wellType: well === 3 ? "negative_control" : "treatment",
        treatment: well === 3 ? "EMPTY" : String(well + (plate === "1" ? 0 : 3)),
        images: [imageAt(path)],
        metadata: {},
      });
    }
  }
  return { id, cellType: "A", plates: ["1", "2"], sites };
};

const experiment = await makeExperiment("A-01");

const datasetOf = (only: Experiment): LoadableDataset => ({
  root: folder,
  channels: ["w1"],
  experiments: [{ id: only.id, cellType: "A", sites: only.sites.length }],
  load: async () => only,
});

/** The treatments' labels in another order; controls stay what they are. */
const shuffled = (seed: string): Experiment => {
  const treated = experiment.sites.filter(({ wellType }) => wellType === "treatment");
  const labels = seededShuffle(
    treated.map(({ treatment }) => treatment),
    seed,
  );
  const sites = experiment.sites.map((site) => {
    const at = treated.indexOf(site);
    const treatment = at < 0 ? site.treatment : labels[at];
    return treatment === undefined ? site : { ...site, treatment };
  });
  return { ...experiment, sites };
};

const classes = ["0", "1", "2", "3", "4", "5", "EMPTY"];
const architecture = architectureSchema.parse({
  growth: 4,
  blocks: [1, 1],
  init: 4,
  bottleneck: 2,
  stem: "small",
  channels: 1,
  height: size,
  width: size,
  classes: classes.length,
});
const model = join(folder, "model");
await writeBundle(
  model,
  {
    name: "tiny",
    architecture,
    variant: "custom",
    classes,
    controls: [6],
    plateGroups: [],
    copies: [],
    replicates: noReplicates,
    channelNames: [],
    input: { scale: 1 / 255, offset: 0 },
    recipe: recipeSchema.parse({ microBatch: 4, controlsAsClasses: true }),
    cellTypes: { A: { trained: true } },
  },
  new Map([["A", initialWeights(architecture, 1)]]),
);

const recipe = adaptRecipeSchema.parse({
  stages: [
    { name: "controls", learnsFrom: "controls", rounds: 1, images: 8, rateAlone: 1e-3 },
    { name: "calls", learnsFrom: "calls", rounds: 3, images: 8, rateAlone: 1e-3, share: [0.4, 1] },
    { name: "wells", learnsFrom: "probabilities", rounds: 1, images: 8, rateAlone: 1e-3 },
  ],
  unchanged: 0,
});

const options = (out: string, more: Partial<AdaptOptions> = {}): AdaptOptions => ({
  recipe,
  model,
  out: join(folder, out),
  experiments: ["A-01"],
  provider: "cpu",
  threads: 1,
  cacheBytes: 2 ** 20,
  stop: new AbortController().signal,
  onRound: () => undefined,
  ...more,
});

const weightsOf = async (out: string) => (await readBundle(join(folder, out))).manifest.cellTypes.A!.sha256;

test("adapt - labels are never read: shuffled ones give the same weights", async () => {
  await adaptBundle(datasetOf(experiment), options("true"));
  await adaptBundle(datasetOf(shuffled("other")), options("shuffled"));
  assert.equal(await weightsOf("shuffled"), await weightsOf("true"));
  assert.notEqual(await weightsOf("true"), (await readBundle(model)).manifest.cellTypes.A!.sha256);
  const report = JSON.parse(await readFile(join(folder, "true/adapted/report.json"), "utf8"));
  assert.equal(report.networks.A.rounds.length, 5);
  assert.deepEqual(
    report.networks.A.rounds.map(({ taken }: { taken: number }) => taken),
    [0, 2, 4, 6, 6],
  );
});

test("adapt - what goes on from an interruption ends the same", async () => {
  const stop = new AbortController();
  const interrupted = adaptBundle(datasetOf(experiment), {
    ...options("resumed"),
    stop: stop.signal,
    onRound: ({ round }) => (round === 1 ? stop.abort() : undefined),
  });
  await assert.rejects(interrupted, { code: "cancelled" });
  await adaptBundle(datasetOf(experiment), options("resumed"));
  assert.equal(await weightsOf("resumed"), await weightsOf("true"));
});

test("adapt - treatment wells lose their labels, controls keep theirs", () => {
  const { treatments, controls } = withoutLabels(experiment);
  assert.ok(treatments.every(({ treatment, site }) => treatment === "" && !("treatment" in site)));
  assert.deepEqual([...new Set(controls.map(({ treatment }) => treatment))], ["EMPTY"]);
  assert.deepEqual([treatments.length, controls.length], [6, 2]);
});

test("adapt - pseudo-labels give every class once, the clearest calls first", () => {
  const well = (name: string, ...probabilities: number[]) => ({
    plate: "1",
    well: name,
    probabilities: Float32Array.from(probabilities),
  });
  const wells = [well("B02", 0.6, 0.5, 0.1), well("B03", 0.9, 0.1, 0.1), well("B04", 0.1, 0.2, 0.3)];
  const labels = pseudoLabels(wells, { classes: ["a", "b", "c"], controls: [], plateGroups: [], copies: [] });
  assert.deepEqual(
    labels.map(({ well: name, called }) => [name, called]),
    [
      ["B03", 0],
      ["B04", 2],
      ["B02", 1],
    ],
  );
});

test("adapt - probabilities given the design: each well holds one class, and a class no more wells than it has", () => {
  const wells = ["1", "2"].flatMap((plate) =>
    ["B02", "B03"].map((well, w) => ({
      plate,
      well,
      probabilities: Float32Array.from([0.4, 0.3, 0.4, 0.3, 0.9], (p, k) => (k === w ? p + 0.1 : p)),
    })),
  );
  const design = { classes: ["a", "b", "c", "d", "EMPTY"], controls: [4], plateGroups: [], copies: [] };
  const labels = pseudoLabels(wells, design);
  for (const { shares } of labels) {
    assert.equal(shares[4], 0, "a treatment well holds no control");
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-6);
  }
  for (const k of [0, 1, 2, 3]) {
    const copies = labels.reduce((sum, { shares }) => sum + shares[k]!, 0);
    assert.ok(Math.abs(copies - 1) < 1e-3, `class ${k} is in ${copies} wells`);
  }
});

test("adapt - the adapted network is served in all views, unless the recipe says otherwise", async () => {
  const servingOf = async (out: string) => (await readBundle(join(folder, out))).manifest.cellTypes.A!.serving;
  assert.equal((await servingOf("true")).allViews, true);
  await adaptBundle(datasetOf(experiment), options("one-view", { recipe: { ...recipe, allViews: false, average: 0 } }));
  assert.equal((await servingOf("one-view")).allViews, false);
  assert.notEqual(await weightsOf("one-view"), await weightsOf("true"), "the average of the weights is what is served");
});
