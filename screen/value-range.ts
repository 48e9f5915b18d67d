import { z } from "zod";

/** Values of a signed, 32-bit or float file that become the darkest and the brightest pixel. */
export const rangeSchema = z
  .tuple([z.number(), z.number()])
  .readonly()
  .refine(([low, high]) => low < high, "the first number must be less than the second");

export type ValueRange = z.output<typeof rangeSchema>;
