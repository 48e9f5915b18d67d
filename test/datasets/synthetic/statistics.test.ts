import assert from "node:assert/strict";
import { test } from "node:test";
import { syntheticParameters } from "../../../datasets/synthetic/parameters.ts";
import { planExperiment } from "../../../datasets/synthetic/plan.ts";
import { renderWell } from "../../../datasets/synthetic/render.ts";

const experiments = 20;
const classes = 24;
const parameters = syntheticParameters.parse({
  size: 48,
  classes: classes / 4,
  positiveControls: 0,
  negativeControls: 0,
  sites: 1,
});

/** Mean grey level of each channel, and the share of saturated pixels, of one image per class and experiment. */
const images = Array.from({ length: experiments }, (_, experiment) => {
  const name = `HUVEC-${String(experiment + 1).padStart(2, "0")}`;
  return planExperiment(parameters, name).plates.flatMap(({ plate, wells }) =>
    wells.map((well) => {
      const [site] = renderWell(parameters, name, plate, well);
      const means = site!.channels.map(mean);
      const saturated = mean(site!.channels.map((pixels) => mean(pixels.map((grey) => Number(grey === 255)))));
      return { experiment, treatment: well.treatment, means, saturated };
    }),
  );
}).flat();

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

const sd = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
};

test("experiments differ in brightness a few times as much as classes do", () => {
  const ratios = Array.from({ length: 6 }, (_, channel) => {
    const ofExperiment = Array.from({ length: experiments }, (_, each) =>
      mean(images.filter(({ experiment }) => experiment === each).map(({ means }) => means[channel]!)),
    );
    const ofClass = Array.from({ length: classes }, (_, each) =>
      mean(
        images
          .filter(({ treatment }) => treatment === each)
          .map(({ experiment, means }) => means[channel]! - ofExperiment[experiment]!),
      ),
    );
    return sd(ofExperiment) / sd(ofClass);
  });
  for (const ratio of ratios) assert.ok(ratio > 1, `ratios ${ratios}`);
  assert.ok(mean(ratios) > 1.7 && mean(ratios) < 4, `ratios ${ratios}`);
});

test("few pixels are saturated", () => {
  const share = mean(images.map(({ saturated }) => saturated));
  assert.ok(share < 0.015, `${share} of the pixels`);
});
