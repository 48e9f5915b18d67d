import { map, type Observable, pipe } from "rxjs";
import { defineStage, divide, estimateField, learnFromSample, type SiteImage, z } from "../pipeline/plugin.ts";

const config = z.strictObject({
  sample: z.int().positive().default(32).describe("images of a plate that its illumination is estimated from"),
  smoothing: z
    .number()
    .positive()
    .max(1)
    .default(0.15)
    .describe("radius of the smoothing, as a part of the image's shorter side"),
});

/**
 * Evens out the light of the field, plate by plate: the mean of some of the plate's images, smoothed, is what all of
 * them are divided by (as CellProfiler's CorrectIlluminationCalculate does, with a box in place of its filters).
 */
export const illumination = defineStage({
  name: "illumination",
  description: "Divides images by their plate's illumination, estimated from images of the plate itself.",
  input: "site-image",
  output: "site-image",
  config,
  apply: ({ sample, smoothing }, context) =>
    pipe(
      learnFromSample({
        context,
        domain: ({ site }: SiteImage) => site.plate,
        weight: () => 1,
        enough: sample,
        learn: async (images) => estimateField(images, smoothing),
      }),
      map(([image, fields]) => {
        for (const [channel, field] of fields.entries()) divide(image.pixels, channel * field.length, field);
        return image;
      }),
    ) as (images: Observable<SiteImage>) => Observable<SiteImage>,
});
