/** Takes the picture: bleed-through, blur, uneven light, response, background and noise of one experiment and plate. */
import { channelCount, type ExperimentEffect, type PlateEffect } from "./effects.ts";
import type { RandomStream } from "./random.ts";

/** Grey levels of a stain of 1 under an average gain of 0.7. */
const greyLevels = 110;
const exposure = 0.7;

/** The grey levels of every channel, [6][size * size], of stains [6, size, size]. */
export const photograph = (
  random: RandomStream,
  stains: Float32Array,
  size: number,
  experiment: ExperimentEffect,
  plate: PlateEffect,
): Uint8Array[] =>
  Array.from({ length: channelCount }, (_, channel) => {
    const light = new Float32Array(size * size);
    for (let stain = 0; stain < channelCount; stain++) {
      const share = experiment.mixing[channel * channelCount + stain]!;
      if (share === 0) continue;
      const offset = stain * size * size;
      for (let at = 0; at < light.length; at++) light[at]! += share * stains[offset + at]!;
    }
    blurInPlace(light, size, pointSpread(experiment.blur[channel]!));
    return expose(random, light, size, channel, experiment, plate);
  });

const expose = (
  random: RandomStream,
  light: Float32Array,
  size: number,
  channel: number,
  experiment: ExperimentEffect,
  plate: PlateEffect,
): Uint8Array => {
  const tiltX = experiment.tiltX[channel]! + plate.tiltX[channel]!;
  const tiltY = experiment.tiltY[channel]! + plate.tiltY[channel]!;
  const vignette = experiment.vignette[channel]! * 0.5;
  const gamma = experiment.gamma[channel]!;
  const gain = experiment.gain[channel]! * plate.gain[channel]! * exposure;
  const background = experiment.offset[channel]! + plate.offset[channel]!;
  const noise = experiment.noise[channel]!;
  const pixels = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    const v = (y / (size - 1) - 0.5) * 2;
    for (let x = 0; x < size; x++) {
      const u = (x / (size - 1) - 0.5) * 2;
      const at = y * size + x;
      const lit = Math.max(0, light[at]!) * (1 + tiltX * u + tiltY * v - vignette * (u * u + v * v));
      // A third of the time of `**`.
      const response = Math.exp(gamma * Math.log(Math.max(1e-4, lit)));
      const signal = Math.max(0, response * gain + background);
      const grey = (signal + random.normal() * noise * (0.5 + Math.sqrt(signal))) * greyLevels;
      pixels[at] = Math.min(255, Math.max(0, grey));
    }
  }
  return pixels;
};

/**
 * Half of the kernel, from its centre outwards, whose transfer function is a Gaussian's. Below a pixel of width that is
 * not the Gaussian read at whole pixels, which would hardly blur.
 */
const pointSpread = (sigma: number): Float64Array => {
  const radius = Math.ceil(3 * sigma) + 3;
  const steps = 256;
  const half = Float64Array.from({ length: radius + 1 }, (_, distance) => {
    let sum = 0;
    for (let step = 0; step < steps; step++) {
      const frequency = (0.5 * (step + 0.5)) / steps;
      sum += Math.exp(-2 * (Math.PI * frequency * sigma) ** 2) * Math.cos(2 * Math.PI * frequency * distance);
    }
    return sum / steps;
  });
  const total = half.reduce((sum, value, distance) => sum + (distance === 0 ? value : 2 * value), 0);
  return half.map((value) => value / total);
};

/** Rows, then columns; the border's pixels go on beyond it. */
const blurInPlace = (plane: Float32Array, size: number, kernel: Float64Array): void => {
  const radius = kernel.length - 1;
  const line = new Float64Array(size + 2 * radius);
  const blurLine = (start: number, stride: number) => {
    for (let at = 0; at < size; at++) line[radius + at] = plane[start + at * stride]!;
    line.fill(line[radius]!, 0, radius);
    line.fill(line[radius + size - 1]!, radius + size);
    for (let at = 0; at < size; at++) {
      const centre = radius + at;
      let sum = kernel[0]! * line[centre]!;
      for (let distance = 1; distance <= radius; distance++)
        sum += kernel[distance]! * (line[centre - distance]! + line[centre + distance]!);
      plane[start + at * stride] = sum;
    }
  };
  for (let y = 0; y < size; y++) blurLine(y * size, 1);
  for (let x = 0; x < size; x++) blurLine(x, size);
};
