import { map, type Observable, pipe } from "rxjs";
import {
  type Affine,
  defineStage,
  learnFromSample,
  momentsOf,
  type SiteImage,
  standardise,
  z,
} from "../pipeline/plugin.ts";

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
  apply: ({ by: chosen, sample, mean, std }, context) => {
    const by = chosen === "as-trained" ? context.serving.normalize : chosen;
    switch (by) {
      case "none":
        return map((image: SiteImage) => image);
      case "given":
        return map((image: SiteImage) => ({ ...image, affine: given(image.channels, mean, std) }));
      case "image":
        return map((image: SiteImage) => ({ ...image, affine: standardise([momentsOf(image)]) }));
      default:
        return pipe(
          learnFromSample({
            context,
            domain: ({ site }: SiteImage) => (by === "plate" ? site.plate : site.experiment),
            weight: () => 1,
            enough: sample,
            learn: async (images) => standardise(images.map(momentsOf)),
          }),
          map(([image, affine]) => ({ ...image, affine })),
        ) as (images: Observable<SiteImage>) => Observable<SiteImage>;
    }
  },
});

const given = (channels: number, mean: number | number[], std: number | number[]): Affine => {
  const at = (value: number | number[], c: number) => (Array.isArray(value) ? value[c % value.length]! : value);
  const each = Array.from({ length: channels }, (_, c) => ({ mean: at(mean, c), std: at(std, c) }));
  return { scale: each.map(({ std }) => 1 / std), offset: each.map(({ mean, std }) => -mean / std) };
};
