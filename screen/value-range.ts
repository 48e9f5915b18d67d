import { z } from "zod";

export const rangeSchema = z
  .tuple([z.number(), z.number()])
  .readonly()
  .refine(([low, high]) => low < high, "the first number must be less than the second");

/** Values of a signed, 32-bit or float file that become the darkest and the brightest pixel. */
export type ValueRange = z.output<typeof rangeSchema>;

/** As an option of a stage or a recipe. */
export const rangeOption = rangeSchema
  .optional()
  .describe("values of signed, 32-bit and float images that become the darkest and the brightest pixel");
