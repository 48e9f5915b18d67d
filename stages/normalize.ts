import { map, type Observable, pipe } from "rxjs";
import { type Affine, defineStage, learnFromSample, type SiteImage, z } from "../pipeline/plugin.ts";

const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);

const config = z.strictObject({
  by: z
    .enum(["as-trained", "none", "image", "plate", "experiment", "given"])
    .default("as-trained")
    .describe(
      "whose mean and standard deviation become 0 and 1; none: the model's own scale, 1/255 as a rule; as-trained: what the bundle says",
    ),
  sample: z
    .int()
    .positive()
    .default(32)
    .describe("images that the mean and deviation of a plate or experiment are estimated from"),
  mean: perChannel.default(0).describe("with by: given, in grey levels; one number, or one per channel"),
  std: perChannel.default(255).describe("with by: given, in grey levels; one number, or one per channel"),
});

/** Sums over pixels, per channel. */
interface Moments {
  readonly count: number;
  readonly sum: readonly number[];
  readonly squares: readonly number[];
}

/**
 * Sets the per-channel affine with which the network reads the pixels; the pixels stay as they are.
 *
 * By plate or experiment, the first images of it (which come in a random order) stand for all of them, so that no
 * plate is read twice.
 */
export const normalize = defineStage({
  name: "normalize",
  description: "Sets how pixels become the network's input, per channel; does not touch the pixels.",
  input: "site-image",
  output: "site-image",
  config,
  apply: ({ by: told, sample, mean, std }, { serving }) => {
    const by = told === "as-trained" ? serving.normalize : told;
    switch (by) {
      case "none":
        return map((image: SiteImage) => image);
      case "given":
        return map((image: SiteImage) => ({ ...image, affine: given(image.channels, mean, std) }));
      case "image":
        return map((image: SiteImage) => ({ ...image, affine: standardise([moments(image)]) }));
      default:
        return pipe(
          learnFromSample({
            domain: ({ site }: SiteImage) => (by === "plate" ? site.plate : site.experiment),
            weight: () => 1,
            enough: sample,
            learn: async (images) => standardise(images.map(moments)),
          }),
          map(([image, affine]) => ({ ...image, affine })),
        ) as (images: Observable<SiteImage>) => Observable<SiteImage>;
    }
  },
});

const moments = ({ pixels, channels }: SiteImage): Moments => {
  const area = pixels.length / channels;
  const sum = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  for (let c = 0; c < channels; c++) {
    for (let i = c * area; i < (c + 1) * area; i++) {
      sum[c]! += pixels[i]!;
      squares[c]! += pixels[i]! ** 2;
    }
  }
  return { count: area, sum, squares };
};

/** The affine that gives the pixels of all images together mean 0 and deviation 1; a constant channel becomes 0. */
const standardise = (images: readonly Moments[]): Affine => {
  const count = images.reduce((total, image) => total + image.count, 0);
  const channels = images[0]!.sum.map((_, c) => {
    const mean = images.reduce((total, { sum }) => total + sum[c]!, 0) / count;
    const variance = images.reduce((total, { squares }) => total + squares[c]!, 0) / count - mean ** 2;
    const scale = variance > 1e-6 ? 1 / Math.sqrt(variance) : 1;
    return { scale, offset: -mean * scale };
  });
  return { scale: channels.map(({ scale }) => scale), offset: channels.map(({ offset }) => offset) };
};

const given = (channels: number, mean: number | number[], std: number | number[]): Affine => {
  const at = (value: number | number[], c: number) => (Array.isArray(value) ? value[c % value.length]! : value);
  const each = Array.from({ length: channels }, (_, c) => ({ mean: at(mean, c), std: at(std, c) }));
  return { scale: each.map(({ std }) => 1 / std), offset: each.map(({ mean, std }) => -mean / std) };
};
