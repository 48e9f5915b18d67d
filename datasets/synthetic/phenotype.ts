/** What a class does to cells: shifts of twenty latent parameters, the only way in which labels reach the pixels. */
import type { SyntheticParameters } from "./parameters.ts";
import { type RandomStream, randomStream } from "./random.ts";

/**
 * Name, base, spread and power of the latent parameters: value = base * exp(spread * z). Lengths are in pixels (power 1
 * of the cells' scale), frequencies in cycles per pixel (power -1).
 */
const latents = [
  ["nucleusRadius", 4.0, 0.13, 1],
  ["nucleusEccentricity", 1.25, 0.1, 0],
  ["cellRadius", 8.5, 0.1, 1],
  ["density", 1.0, 0.22, 0],
  ["nucleusIntensity", 0.85, 0.16, 0],
  ["nucleusTexture", 0.3, 0.4, 0],
  ["erIntensity", 0.6, 0.16, 0],
  ["erFrequency", 0.16, 0.22, -1],
  ["actinRing", 0.7, 0.3, 0],
  ["fibreFrequency", 0.17, 0.18, -1],
  ["fibreAmplitude", 0.45, 0.35, 0],
  ["nucleoliCount", 2.6, 0.3, 0],
  ["nucleoliSize", 1.05, 0.14, 1],
  ["cytoplasmicRna", 0.4, 0.25, 0],
  ["mitochondriaSpread", 0.45, 0.2, 0],
  ["mitochondriaFrequency", 0.2, 0.2, -1],
  ["mitochondriaIntensity", 0.75, 0.16, 0],
  ["golgiDistance", 1.1, 0.18, 0],
  ["golgiSize", 1.9, 0.16, 1],
  ["golgiIntensity", 0.85, 0.2, 0],
] as const;

export type CellParameters = Readonly<Record<(typeof latents)[number][0], number>>;

/** A point in the space of the latent parameters. */
export type Latent = Float64Array;

const touched = 0.6;
const strengths = [0.25, 1.5] as const;

/** How the four cell types of RxRx1 differ before anything is done to them; another cell type is the plain cell. */
const cellTypeShift: Readonly<Record<string, Partial<Record<keyof CellParameters, number>>>> = {
  HUVEC: { nucleusEccentricity: 0.8, fibreAmplitude: 0.4 },
  RPE: { cellRadius: 0.4, erIntensity: 0.4 },
  HEPG2: { nucleusEccentricity: -0.8, density: 0.6, fibreAmplitude: -0.4 },
  U2OS: { cellRadius: 0.8, nucleoliCount: 0.5 },
};

/** Sum of any number of shifts. */
export const addLatents = (...parts: readonly Latent[]): Latent =>
  Float64Array.from(latents, (_, index) => parts.reduce((sum, part) => sum + part[index]!, 0));

export const latentNoise = (random: RandomStream, sd: number): Latent =>
  random.normals(latents.length).map((x) => x * sd);

/** A function of the cell type alone. */
export const baseOf = (cellType: string): Latent =>
  Float64Array.from(latents, ([name]) => cellTypeShift[cellType]?.[name] ?? 0);

/**
 * The effect of one class on one cell type: a function of seed, cell type and class. Every latent is touched with
 * probability 0.6. Treatments differ in overall strength, which makes some easy and some hard to recognise.
 */
export const effectOf = (
  { seed, phenotype }: SyntheticParameters,
  cellType: string,
  treatment: number,
  kind: "treatment" | "positive_control" | "negative_control",
): Latent => {
  const random = randomStream(seed, "class", cellType, treatment);
  const overall = random.between(...strengths);
  const strength = { treatment: overall, positive_control: 1, negative_control: 0 }[kind] * phenotype;
  return Float64Array.from(latents, () => {
    const value = random.normal();
    return random.uniform() < touched ? strength * value : 0;
  });
};

/** In pixels of images whose cells are `scale` times as large. */
export const cellParameters = (latent: Latent, scale: number): CellParameters =>
  Object.fromEntries(
    latents.map(([name, base, spread, power], index) => [
      name,
      base * scale ** power * Math.exp(spread * latent[index]!),
    ]),
  ) as CellParameters;
