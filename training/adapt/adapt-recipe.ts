/** How a network learns from experiments whose treatments nobody has labelled. */
import { z } from "zod";

const adaptStageSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "letters, digits and dashes"),
  learnsFrom: z
    .enum(["controls", "pseudo-labels"])
    .describe("the controls alone, whose identity every lab knows; or besides the treatment wells as they are called"),
  rounds: z.int().positive().describe("times the wells are called anew and then learnt from"),
  rate: z.number().positive().default(6e-5).describe("learning rate at the start; it falls to 0 as a cosine"),
  share: z
    .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
    .default([0.4, 1])
    .describe("of the wells that are learnt from in the first and in the last round, the clearest calls first"),
  images: z.int().positive().default(2048).describe("that are learnt from in a round"),
  original: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.5)
    .describe("share of the images that come from the original training data, where they are given"),
});
export type AdaptStage = z.output<typeof adaptStageSchema>;

export const adaptRecipeSchema = z.strictObject({
  stages: z
    .array(adaptStageSchema)
    .min(1)
    .prefault([
      { name: "controls", learnsFrom: "controls", rounds: 2 },
      { name: "pseudo-labels", learnsFrom: "pseudo-labels", rounds: 10 },
    ]),
  unchanged: z
    .number()
    .min(0)
    .max(1)
    .default(0.002)
    .describe("it is done when no more than this share of the calls change in two rounds that learn from all wells"),
  seed: z.int().default(314159),
});
export type AdaptRecipe = z.output<typeof adaptRecipeSchema>;
