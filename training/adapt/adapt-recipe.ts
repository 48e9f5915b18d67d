/** How a network learns from experiments whose treatments nobody has labelled. */
import { z } from "zod";

const adaptStageSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "letters, digits and dashes"),
  learnsFrom: z
    .enum(["controls", "calls", "probabilities"])
    .describe(
      "the controls alone, whose identity every lab knows; besides them the treatment wells as they are called, the clearest first; " +
        "or all of these, each with the probabilities of its classes given the plates' design",
    ),
  rounds: z.int().positive().describe("times the wells are called anew and then learnt from"),
  rate: z
    .number()
    .positive()
    .default(8e-4)
    .describe("learning rate at the start, where original training data are mixed in; it falls to 0 as a cosine"),
  rateAlone: z.number().positive().default(6e-5).describe("the same where there are none"),
  share: z
    .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
    .default([0.4, 0.7])
    .describe(
      "of the calls that are learnt from in the first and in the last round; probabilities always count in full",
    ),
  images: z.int().positive().default(3200).describe("that are learnt from in a round"),
  original: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.7)
    .describe("share of the images that come from the original training data, where they are given"),
});
export type AdaptStage = z.output<typeof adaptStageSchema>;

export const adaptRecipeSchema = z.strictObject({
  stages: z
    .array(adaptStageSchema)
    .min(1)
    .prefault([{ name: "wells", learnsFrom: "probabilities", rounds: 3 }]),
  average: z
    .number()
    .min(0)
    .max(0.9999)
    .default(0.99)
    .describe(
      "share that a moving average of the weights keeps per step; that average is what calls and what is served; 0: none",
    ),
  allViews: z
    .boolean()
    .default(true)
    .describe(
      "the adapted network is served with every image in all its views, 8 of a square, whose predictions are averaged",
    ),
  unchanged: z
    .number()
    .min(0)
    .max(1)
    .default(0.002)
    .describe(
      "it is done when no more than this share of the calls change in two rounds that learn from equally many wells",
    ),
  seed: z.int().default(314159),
});
export type AdaptRecipe = z.output<typeof adaptRecipeSchema>;
