/** A recipe: everything that decides what a network learns. Its defaults are the numbers of Kirill Brodt's solution. */

import { parse } from "yaml";
import { z } from "zod";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { readOptionFile } from "../../common/read-file.ts";
import { problemsIn } from "../../common/schema.ts";
import { type Variant, variants } from "../../gpu-worker/network/architecture.ts";
import { rangeOption } from "../../screen/value-range.ts";
import { cosineScaleOf, lossSchema } from "../gradients/losses.ts";

const shapeSchema = z.strictObject({
  growth: z.int().positive().describe("feature maps that every dense layer adds"),
  blocks: z.array(z.int().positive()).min(1).describe("dense layers per block"),
  init: z.int().positive().describe("feature maps of the first convolution"),
  bottleneck: z.int().positive().default(4).describe("feature maps of a 1x1 convolution, in growth rates"),
  stem: z.enum(["imagenet", "small"]).default("imagenet").describe("7x7/2 and pool 3/2, or 5x5/2 and pool 2/2"),
});

const classifierSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("learnt").describe("by the optimiser, with the rest of the network") }),
  z.strictObject({
    kind: z.literal("discriminant").describe("after a stage, as Fisher's linear discriminant of the features"),
    shrinkage: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe("share of the identity in the covariance within the classes"),
    // Images that were learnt from lie closer to their class than new ones: 64 was best for four networks on a replicate.
    temperature: z.number().positive().default(64).describe("what its log-likelihoods are divided by"),
  }),
]);

const scheduleSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant") }),
  z.strictObject({
    kind: z.literal("steps"),
    at: z.array(z.number().min(0).max(1)).describe("parts of the stage after which the rate is multiplied"),
    factor: z.number().positive().default(0.1).describe("what it is multiplied by"),
  }),
  z.strictObject({
    kind: z.literal("cosine"),
    cycles: z.int().positive().default(1).describe("times the rate falls and starts anew; the optimiser goes on"),
  }),
]);

const stageSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "letters, digits and dashes"),
  images: z
    .enum(["controls", "training", "all"])
    .describe("control wells; the wells of the training experiments; those of the validation experiment as well"),
  learns: z
    .enum(["network", "head"])
    .default("network")
    .describe("what is trained: everything, or the classifier alone"),
  epochs: z.int().positive(),
  rate: z.number().positive().default(1e-3).describe("learning rate at the start of the stage"),
  amsgrad: z.boolean().default(true).describe("Adam's AMSGrad correction"),
  schedule: scheduleSchema.default({ kind: "constant" }).describe("how the rate falls; rates change between epochs"),
  mixup: z.number().min(0).default(0).describe("alpha of MixUp's Beta distribution (Zhang et al. 2018); 0 for none"),
  cutmix: z.number().min(0).default(0).describe("alpha of CutMix's Beta distribution (Yun et al. 2019); 0 for none"),
  weightDecay: z.number().min(0).default(0).describe("decoupled, times the rate (Loshchilov and Hutter 2019)"),
  warmup: z.number().min(0).default(0).describe("epochs in which the rate rises from 0"),
  rectified: z
    .boolean()
    .default(false)
    .describe("RAdam: no adaptive steps while their variance is unknown (Liu et al. 2020)"),
  average: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share that a moving average of the weights keeps per step; it is what is scored and goes on; 0 for none",
    ),
});
export type Stage = z.output<typeof stageSchema>;

const sourceStages: z.input<typeof stageSchema>[] = [
  { name: "controls", images: "controls", epochs: 100 },
  { name: "head", images: "training", learns: "head", epochs: 100 },
  {
    name: "whole-network",
    images: "training",
    epochs: 175,
    schedule: { kind: "steps", at: [120 / 175, 150 / 175], factor: 0.1 },
  },
  { name: "mixup", images: "all", epochs: 15, rate: 1e-5, mixup: 1 },
];

export const recipeSchema = z.strictObject({
  architecture: z
    .union([z.enum(Object.keys(variants) as [Variant, ...Variant[]]), shapeSchema], {
      error: ({ input }) =>
        typeof input === "string"
          ? `is ${Object.keys(variants).join(", ")}, or a shape with growth, blocks and init, not "${input}"`
          : "as a shape takes growth, blocks (a list) and init, and may have bottleneck and stem; one is wrong, missing or another",
    })
    .default("densenet121")
    .describe("a named variant, or a shape of its own"),
  plateInput: z.boolean().default(false).describe("appends the plate's position as one-hot to the features"),
  controlsAsClasses: z.boolean().default(false).describe("controls are classes beside the treatments"),
  init: z.string().optional().describe("weights to start from: a safetensors file, or a bundle with this cell type"),
  headBias: z
    .enum(["zero", "prior"])
    .default("zero")
    .describe("bias of a new classifier; prior: -log(classes - 1), every class as rare as it is"),
  normalize: z
    .enum(["none", "image"])
    .default("none")
    .describe("pixelScale for all, or zero mean and unit deviation per image"),
  pixelScale: z
    .number()
    .positive()
    .default(1 / 255)
    .describe("with normalize: none, what pixels are multiplied by, here and when serving; 16 bit is fine with 1/255"),
  range: rangeOption,
  illumination: z
    .boolean()
    .default(false)
    .describe(
      "divide images by the illumination functions that the table names; serve it with decode.illumination=true",
    ),
  loss: lossSchema.prefault({}),
  classifier: classifierSchema
    .default({ kind: "learnt" })
    .describe("where the last layer of what is scored and served comes from"),
  domain: z
    .enum(["plate", "experiment", "cell-type", "random"])
    .default("plate")
    .describe(
      "what the images of a micro-batch have in common; the last two are the same to a network of one cell type",
    ),
  microBatch: z.int().min(2).default(8).describe("images that share their BatchNorm statistics"),
  accumulate: z.int().positive().default(16).describe("micro-batches per step of the optimiser"),
  gradients: z
    .enum(["sum", "mean"])
    .default("sum")
    .describe("over the micro-batches of a step; the source adds them up"),
  imagesPerEpoch: z.int().positive().optional().describe("a random part of the images; absent: all of them"),
  allViews: z
    .boolean()
    .default(false)
    .describe("predict every image in its quarter turns and their mirror images, and average; here and when serving"),
  crop: z.int().positive().optional().describe("side of a random crop in pixels; absent: the whole image"),
  augment: z
    .strictObject({
      rot90: z.boolean().default(true).describe("rotations by quarter turns"),
      hflip: z.boolean().default(true),
      vflip: z.boolean().default(true),
      rotate: z.boolean().default(false).describe("rotations by any angle; what lies outside is mirrored in"),
      zoom: z
        .number()
        .min(0)
        .max(3)
        .default(0)
        .describe("up to this much larger or smaller; 0.25: from 1/1.25 to 1.25"),
      gain: z
        .number()
        .min(0)
        .default(0)
        .describe("sd of the logarithm of a factor on the pixels, per image and channel"),
      offset: z.number().min(0).default(0).describe("sd of what is added, as a share of the brightest grey level"),
      gamma: z
        .number()
        .min(0)
        .default(0)
        .describe("sd of the logarithm of a power of the pixels, per image and channel"),
    })
    .prefault({})
    .describe("random changes to every image that is learnt from"),
  precision: z.enum(["float32", "float16"]).default("float32").describe("float16: mixed, where the provider has it"),
  seed: z.int().default(314159),
  validateEvery: z.int().positive().default(1).describe("epochs"),
  calibrationImages: z.int().positive().default(64).describe("images per plate for the statistics of the validation"),
  stages: z.array(stageSchema).min(1).prefault(sourceStages),
});
export type Recipe = z.output<typeof recipeSchema>;

/** Throws "invalid-config" with every problem of the file. */
export const parseRecipe = (value: unknown, source: string): Recipe => {
  const parsed = recipeSchema.safeParse(value);
  const problems = parsed.success ? contradictions(parsed.data) : problemsIn(parsed.error);
  if (!parsed.success || problems.length > 0)
    throw new PlatestreamError("invalid-config", listProblems(`${source} is not a recipe:`, problems));
  return parsed.data;
};

const contradictions = ({ stages, normalize, loss, plateInput, classifier }: Recipe): string[] => [
  ...(classifier.kind === "discriminant" && plateInput
    ? ["plateInput: the discriminant is one of the features alone"]
    : []),
  ...(cosineScaleOf(loss) !== undefined && plateInput
    ? ["plateInput: CosFace and ArcFace compare features alone"]
    : []),
  ...repeated(stages.map(({ name }) => name)).map((name) => `stages: two are called "${name}"`),
  ...(normalize === "image" && stages.some(({ mixup, cutmix }) => mixup > 0 || cutmix > 0)
    ? ["normalize: MixUp and CutMix mix raw pixels, which have no common scale after normalize: image"]
    : []),
  ...stages.flatMap(({ name, mixup, cutmix }) =>
    mixup > 0 && cutmix > 0 ? [`stages: ${name} has mixup and cutmix`] : [],
  ),
];

const repeated = (names: readonly string[]): string[] => names.filter((name, i) => names.indexOf(name) < i);

export const readRecipe = async (path: string): Promise<Recipe> => {
  const text = (await readOptionFile("the recipe", path)).toString("utf8");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new PlatestreamError("invalid-config", `${path} is not YAML: ${(cause as Error).message}`, { cause });
  }
  return parseRecipe(value ?? {}, path);
};

/** Learning rate of an epoch, counted from 0; within a warm-up `part` of the epoch counts, too. */
export const rateAt = (
  { rate: full, schedule, epochs, warmup }: Pick<Stage, "rate" | "schedule" | "epochs" | "warmup">,
  epoch: number,
  part = 1,
): number => {
  const rate = epoch + part < warmup ? (full * (epoch + part)) / warmup : full;
  if (schedule.kind === "constant") return rate;
  if (schedule.kind === "cosine") {
    const length = epochs / schedule.cycles;
    return (rate * (1 + Math.cos((Math.PI * (epoch % length)) / length))) / 2;
  }
  const passed = schedule.at.filter((part) => epoch >= Math.round(part * epochs)).length;
  return rate * schedule.factor ** passed;
};
