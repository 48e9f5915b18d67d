/** What an experiment and its plates do to every image: staining, exposure, optics, culture. All labels look alike. */
import type { SyntheticParameters } from "./parameters.ts";
import { type Latent, latentNoise } from "./phenotype.ts";
import { type RandomStream, randomStream } from "./random.ts";

export const channelCount = 6;

/** One number per channel. */
type PerChannel = Float64Array;

export interface ExperimentEffect {
  readonly biology: Latent;
  readonly gain: PerChannel;
  readonly gamma: PerChannel;
  readonly offset: PerChannel;
  /** Bleed-through of stains into channels, [channel, stain] row-major, 1 on the diagonal. */
  readonly mixing: Float64Array;
  /** Standard deviation of the point spread, in pixels. */
  readonly blur: PerChannel;
  readonly noise: PerChannel;
  readonly tiltX: PerChannel;
  readonly tiltY: PerChannel;
  readonly vignette: PerChannel;
}

export interface PlateEffect {
  readonly biology: Latent;
  readonly gain: PerChannel;
  readonly offset: PerChannel;
  readonly tiltX: PerChannel;
  readonly tiltY: PerChannel;
}

const logGain = 0.5;
const logGamma = 0.22;
const offset = [0.03, 0.35] as const;
const bleed = 0.25;
const illumination = 0.35;
const blur = [0.25, 0.9] as const;
const noise = [0.015, 0.05] as const;

/** A function of seed and name. Blur and noise are the microscope's whatever the strength; blur grows with the cells. */
export const experimentEffect = (parameters: SyntheticParameters, experiment: string): ExperimentEffect => {
  const { seed, scale, experimentBiology, experimentOptics: strength } = parameters;
  const random = randomStream(seed, "experiment", experiment);
  const biology = latentNoise(random, experimentBiology);
  const tilts = perChannel(() => {
    const angle = random.between(0, 2 * Math.PI);
    const size = random.between(0, illumination * strength);
    return [size * Math.cos(angle), size * Math.sin(angle)] as const;
  });
  return {
    biology,
    gain: Float64Array.from(perChannel(() => Math.exp(logGain * strength * random.normal()))),
    gamma: Float64Array.from(perChannel(() => Math.exp(logGamma * strength * random.normal()))),
    offset: Float64Array.from(perChannel(() => random.between(...offset) * strength)),
    mixing: mixing(random, bleed * strength),
    blur: Float64Array.from(perChannel(() => random.between(...blur) * scale)),
    noise: Float64Array.from(perChannel(() => random.between(...noise))),
    tiltX: Float64Array.from(tilts, ([x]) => x),
    tiltY: Float64Array.from(tilts, ([, y]) => y),
    vignette: Float64Array.from(perChannel(() => random.between(0, illumination * strength * 0.6))),
  };
};

/** A function of seed, experiment and plate. */
export const plateEffect = (parameters: SyntheticParameters, experiment: string, plate: number): PlateEffect => {
  const { seed, plateBiology, plateGain, plateOffset, plateIllumination } = parameters;
  const random = randomStream(seed, "plate", experiment, plate);
  const noise = (sd: number): PerChannel => Float64Array.from(perChannel(() => sd * random.normal()));
  return {
    biology: latentNoise(random, plateBiology),
    gain: noise(plateGain).map(Math.exp),
    offset: noise(plateOffset),
    tiltX: noise(plateIllumination),
    tiltY: noise(plateIllumination),
  };
};

const mixing = (random: RandomStream, most: number): Float64Array =>
  Float64Array.from({ length: channelCount * channelCount }, (_, index) => {
    const leaks = random.uniform() < 0.5;
    const amount = random.between(0, most);
    if (index % (channelCount + 1) === 0) return 1;
    return leaks ? amount : 0;
  });

const perChannel = <T>(draw: () => T): T[] => Array.from({ length: channelCount }, draw);
