/** How a network wants to be served: as it was trained and validated. It travels with the bundle to whoever runs it. */
import { z } from "zod";

export const servingSchema = z.strictObject({
  domain: z
    .enum(["plate", "experiment"])
    .default("plate")
    .describe("what the images have in common whose BatchNorm statistics are estimated together"),
  minImages: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "a plate with fewer images has too few; where most images are on such plates, the experiment is the domain",
    ),
  batch: z.int().positive().default(8).describe("images that shared their statistics in training"),
  calibrationImages: z.int().positive().default(64).describe("images of a domain that its statistics rest on"),
  sourceWeight: z
    .number()
    .min(0)
    .default(0)
    .describe("images that the training statistics count as when they are blended with the domain's"),
  normalize: z
    .enum(["none", "image", "plate", "experiment"])
    .default("none")
    .describe("whose mean and deviation of grey levels become 0 and 1"),
  sites: z
    .enum(["sigmoids", "logits"])
    .default("sigmoids")
    .describe(
      "what is averaged over the sites of a well: sigmoid outputs, of networks that learnt every class by itself; or logits, whose softmax is then taken, of those that learnt one class of all",
    ),
  allViews: z
    .boolean()
    .default(false)
    .describe("whether every image is predicted in all its quarter turns and their mirror images, which are averaged"),
});
export type Serving = z.output<typeof servingSchema>;

/** Of a bundle that does not say: Kirill Brodt's. */
export const sourceServing: Serving = servingSchema.parse({});

/** `by experiment, batches of 32, 128 images to calibrate on` */
export const describeServing = ({
  domain,
  minImages,
  batch,
  calibrationImages,
  sourceWeight,
  normalize,
  sites,
  allViews,
}: Serving) =>
  [
    `by ${domain}`,
    ...(minImages > 0 ? [`by experiment where plates have under ${minImages} images`] : []),
    `batches of ${batch}`,
    `${calibrationImages} images to calibrate on`,
    ...(sourceWeight > 0 ? [`blended with ${sourceWeight} of training`] : []),
    ...(normalize === "none" ? [] : [`grey levels normalised by ${normalize}`]),
    ...(sites === "logits" ? ["logits averaged over sites"] : []),
    ...(allViews ? ["every image in all its views"] : []),
  ].join(", ");

/** The domain of one experiment's statistics, given the number of images of each of its plates. */
export const domainFor = (
  { domain, minImages }: Pick<Serving, "domain" | "minImages">,
  plates: readonly number[],
): Serving["domain"] => {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const small = sum(plates.filter((count) => count < minImages));
  return domain === "plate" && 2 * small > sum(plates) ? "experiment" : domain;
};
