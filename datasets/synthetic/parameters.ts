/** What a synthetic dataset is made of: everything that its pixels and its layout depend on, but the experiments' names. */
import { z } from "zod";

const rate = z.number().min(0).max(1);
const strength = z.number().min(0);

/** Strengths are standard deviations; those of the biology in units of the latent cell parameters (`phenotype.ts`). */
export const syntheticParameters = z.strictObject({
  seed: z.int().default(1).describe("another seed gives other phenotypes, groups and batch effects"),
  size: z.int().min(16).max(4096).default(64).describe("width and height of the images, in pixels"),
  scale: z.number().min(0.25).max(16).default(1).describe("size of the cells: at 1 they are about 17 pixels wide"),
  plates: z.int().min(1).max(9).default(4).describe("plates of an experiment, and groups of classes"),
  classes: z.int().min(1).max(277).default(24).describe("treatments on a plate; RxRx1 has 277"),
  positiveControls: z.int().min(0).max(30).default(7).describe("positive controls, each once on every plate"),
  negativeControls: z.int().min(0).max(30).default(1).describe("untreated wells on every plate"),
  sites: z.int().min(1).max(9).default(2).describe("images of a well"),
  missingWells: rate.default(0).describe("share of treatment wells that failed: gone, or now and then untreated"),
  missingSites: rate.default(0).describe("share of images that are not there"),
  phenotype: strength.default(1.9).describe("effect of a class"),
  wellNoise: strength.default(0.5).describe("biological noise of a well, shared by its sites"),
  experimentBiology: strength.default(0.4).describe("biological shift of an experiment"),
  experimentOptics: strength.default(1.2).describe("multiplies what staining and microscope of an experiment do"),
  plateBiology: strength.default(0.12).describe("biological shift of a plate"),
  plateGain: strength.default(0.1).describe("sd of the log-gain of a plate's channels"),
  plateOffset: strength.default(0.02).describe("sd of the background of a plate's channels"),
  plateIllumination: strength.default(0.08).describe("sd of the illumination's tilt of a plate's channels"),
});

export type SyntheticParameters = z.output<typeof syntheticParameters>;
/** The same before defaults are filled in. */
export type SyntheticOptions = z.input<typeof syntheticParameters>;
