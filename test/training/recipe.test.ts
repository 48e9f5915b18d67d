import assert from "node:assert/strict";
import { test } from "node:test";
import { packageFile } from "../../common/package-file.ts";
import { parseRecipe, rateAt, readRecipe } from "../../training/loop/recipe.ts";

test("recipe - the source's recipe is what an empty one means", async () => {
  const written = await readRecipe(packageFile("recipes/brodt.yaml"));
  const meant = parseRecipe({}, "nothing");
  const rates = (recipe: typeof written) =>
    recipe.stages.map((stage) => Array.from({ length: stage.epochs }, (_, epoch) => rateAt(stage, epoch)));
  assert.deepEqual(rates(written), rates(meant));
  const essence = ({ stages, ...rest }: typeof written) => [rest, stages.map(({ schedule: _, ...stage }) => stage)];
  assert.deepEqual(essence(written), essence(meant));
});

test("recipe - the source's rate falls at epochs 320 and 350 of the first 375", async () => {
  const { stages } = await readRecipe(packageFile("recipes/brodt.yaml"));
  const rates = stages.flatMap((stage) => Array.from({ length: stage.epochs }, (_, epoch) => rateAt(stage, epoch)));
  const falls = rates.flatMap((rate, i) => (i > 0 && rate < rates[i - 1]! ? [i] : []));
  assert.deepEqual(falls, [320, 350, 375]);
});

test("recipe - the demo's recipe is valid", async () => {
  const { stages } = await readRecipe(packageFile("recipes/demo.yaml"));
  assert.deepEqual(
    stages.map(({ name }) => name),
    ["whole-network", "mixup"],
  );
});

test("recipe - cosine starts at the rate and ends near zero", () => {
  const stage = { rate: 0.5, epochs: 10, warmup: 0, schedule: { kind: "cosine" as const, cycles: 1 } };
  assert.equal(rateAt(stage, 0), 0.5);
  assert.ok(rateAt(stage, 9) < 0.02);
  const cycled = { ...stage, schedule: { kind: "cosine" as const, cycles: 2 } };
  assert.deepEqual([rateAt(cycled, 0), rateAt(cycled, 5)], [0.5, 0.5]);
  assert.ok(rateAt(cycled, 4) < 0.06);
});

test("recipe - a warm-up rises from step to step to the full rate", () => {
  const stage = { rate: 0.5, epochs: 10, warmup: 2, schedule: { kind: "constant" as const } };
  assert.deepEqual([rateAt(stage, 0, 0.5), rateAt(stage, 1, 0.5), rateAt(stage, 2, 0.1)], [0.125, 0.375, 0.5]);
});

test("recipe - every mistake is listed with its place", () => {
  const wrong = { microbatch: 8, loss: { kind: "hinge" }, stages: [{ name: "a", images: "training", epochs: 0 }] };
  assert.throws(() => parseRecipe(wrong, "my.yaml"), {
    code: "invalid-config",
    message: /my\.yaml is not a recipe:(.|\n)*microbatch/,
  });
  assert.throws(() => parseRecipe(wrong, "my.yaml"), /loss\.kind/);
  assert.throws(() => parseRecipe(wrong, "my.yaml"), /stages\.0\.epochs/);
  assert.throws(() => parseRecipe({ architecture: "densenet999" }, "r"), /is densenet121, .*not "densenet999"/);
  assert.throws(() => parseRecipe({ architecture: { growth: 12 } }, "r"), /takes growth, blocks/);
});

test("recipe - options that contradict each other are refused", () => {
  const stage = { name: "a", images: "training", epochs: 1, mixup: 0.4 };
  assert.throws(() => parseRecipe({ normalize: "image", stages: [stage] }, "r"), /MixUp and CutMix mix raw pixels/);
  assert.throws(() => parseRecipe({ stages: [stage, stage] }, "r"), /two are called "a"/);
});
