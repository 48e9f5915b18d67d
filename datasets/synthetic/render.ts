/** Renders the sites of a well. */

import { cellTypeOfName } from "../fields.ts";
import { type Canvas, createCanvas, drawCells } from "./cells.ts";
import { experimentEffect, plateEffect } from "./effects.ts";
import { photograph } from "./microscope.ts";
import type { SyntheticParameters } from "./parameters.ts";
import { addLatents, baseOf, cellParameters, effectOf, latentNoise } from "./phenotype.ts";
import type { PlannedWell } from "./plan.ts";
import { randomStream } from "./random.ts";

export interface RenderedSite {
  readonly site: number;
  /** [6][size * size] */
  readonly channels: readonly Uint8Array[];
}

/** A function of the parameters, the experiment's name, plate and well. */
export const renderWell = (
  parameters: SyntheticParameters,
  experiment: string,
  plate: number,
  { well, wellType, treatment, sites }: PlannedWell,
): RenderedSite[] => {
  const { seed, size, scale, wellNoise } = parameters;
  const cellType = cellTypeOfName(experiment);
  const ofExperiment = experimentEffect(parameters, experiment);
  const ofPlate = plateEffect(parameters, experiment, plate);
  const latent = addLatents(
    baseOf(cellType),
    effectOf(parameters, cellType, treatment, wellType),
    ofExperiment.biology,
    ofPlate.biology,
    latentNoise(randomStream(seed, "well", experiment, plate, well), wellNoise),
  );
  const cell = cellParameters(latent, scale);
  canvas = canvas?.size === size ? canvas : createCanvas(size);
  const { stains } = canvas;
  return sites.map((site) => {
    const random = randomStream(seed, "site", experiment, plate, well, site);
    drawCells(random, cell, scale, canvas!);
    return { site, channels: photograph(random, stains, size, ofExperiment, ofPlate) };
  });
};

let canvas: Canvas | undefined;
