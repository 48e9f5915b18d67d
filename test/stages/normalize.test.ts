import assert from "node:assert/strict";
import { test } from "node:test";
import { from, lastValueFrom, toArray } from "rxjs";
import { decode } from "../../stages/decode.ts";
import { normalize } from "../../stages/normalize.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";
import { temporaryFolder, writeExperiment } from "../kit/experiment.ts";

const byPlate = normalize.config.parse({ by: "plate" });

const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };
const { context } = contextFor(experiment);
const grey = (plate: string, ...levels: number[]) => imageOf({ plate }, Uint8Array.from(levels));

test("normalize - by none leaves the model's own scale", async () => {
  const image = grey("1", 1, 2, 3, 4);
  assert.deepEqual(await runStage(normalize, {}, [image], context), [image]);
});

test("normalize - by image gives every channel mean 0 and deviation 1", async () => {
  const image = imageOf({}, Uint8Array.from([0, 2, 0, 2, 10, 30, 10, 30]), 2);
  const [out] = await runStage<"site-image">(normalize, { by: "image" }, [image], context);
  assert.deepEqual(out!.affine, { scale: [1, 0.1], offset: [-1, -2] });
});

test("normalize - by plate every plate has one affine, estimated from its first images", async () => {
  const images = [grey("1", 0, 0, 2, 2), grey("1", 0, 0, 2, 2), grey("1", 9, 9, 9, 9), grey("2", 10, 10, 30, 30)];
  const out = await runStage<"site-image">(normalize, { by: "plate", sample: 2 }, images, context);
  assert.deepEqual(
    out.map(({ site, affine }) => [site.plate, affine?.scale[0], affine?.offset[0]]),
    [
      ["1", 1, -1],
      ["1", 1, -1],
      ["1", 1, -1],
      ["2", 0.1, -2],
    ],
  );
});

test("normalize - by experiment all plates share it", async () => {
  const out = await runStage<"site-image">(
    normalize,
    { by: "experiment" },
    [grey("1", 0, 0, 0, 0), grey("2", 2, 2, 2, 2)],
    context,
  );
  assert.deepEqual(
    out.map(({ affine }) => affine?.offset[0]),
    [-1, -1],
  );
});

test("normalize - by given takes mean and deviation in grey levels", async () => {
  const image = imageOf({}, new Uint8Array(8), 2);
  const [out] = await runStage<"site-image">(normalize, { by: "given", mean: [10, 20], std: 10 }, [image], context);
  assert.deepEqual(out!.affine, { scale: [0.1, 0.1], offset: [-1, -2] });
});

test("normalize - a channel without contrast becomes 0, not NaN", async () => {
  const [out] = await runStage<"site-image">(normalize, { by: "image" }, [grey("1", 7, 7, 7, 7)], context);
  assert.deepEqual(out!.affine, { scale: [1], offset: [-7] });
});

test("normalize - a sample that memory cannot hold is refused before anything is held", async (t) => {
  const many = await writeExperiment(await temporaryFolder(t), {
    plates: 1,
    wells: 20,
    sites: 2,
    channels: 1,
    size: 8,
  });
  const { context: small } = contextFor(many, undefined, 20 * 64);
  await assert.rejects(
    lastValueFrom(
      from(many.sites).pipe(decode.apply(decode.config.parse({}), small), normalize.apply(byPlate, small), toArray()),
    ),
    /\[too-large\] learning from 32 images takes 2 KiB, more than half of the 2 KiB .* raise memoryMiB or use a smaller sample/,
  );
});
