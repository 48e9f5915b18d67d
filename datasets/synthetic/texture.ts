/** Band-pass noise, the grain of organelles. */
import FFT from "fft.js";
import type { RandomStream } from "./random.ts";
import { randomStream } from "./random.ts";

/** Side of the periodic tile, a power of two. */
const side = 512;
/** Cycles per pixel of the tile's own band: low, so that reading between its pixels does not blur it. */
const tileFrequency = 1 / 16;
/** Width of the band: standard deviation of log frequency. */
const bandwidth = 0.35;

/**
 * Fills `field` [size, size] with noise of mean 0 and variance 1 around `frequency` (cycles per pixel).
 *
 * A band that is a Gaussian in log frequency keeps its shape when it is stretched. So all fields are windows of one
 * large tile of noise, read at a random place and angle with a step that makes the frequency: no transform per image.
 */
export const drawTexture = (random: RandomStream, frequency: number, size: number, field: Float32Array): void => {
  tile ??= makeTile();
  const step = frequency / tileFrequency;
  const angle = random.between(0, 2 * Math.PI);
  const stepX = step * Math.cos(angle);
  const stepY = step * Math.sin(angle);
  const originX = random.between(0, side);
  const originY = random.between(0, side);
  const mask = side - 1;
  let sum = 0;
  let squares = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const u = originX + x * stepX - y * stepY;
      const v = originY + x * stepY + y * stepX;
      const left = Math.floor(u);
      const top = Math.floor(v);
      const a = u - left;
      const b = v - top;
      const row = (top & mask) * side;
      const below = ((top + 1) & mask) * side;
      const column = left & mask;
      const right = (left + 1) & mask;
      const upper = tile[row + column]! * (1 - a) + tile[row + right]! * a;
      const lower = tile[below + column]! * (1 - a) + tile[below + right]! * a;
      const value = upper * (1 - b) + lower * b;
      field[y * size + x] = value;
      sum += value;
      squares += value * value;
    }
  }
  const pixels = size * size;
  const mean = sum / pixels;
  const inverse = 1 / (Math.sqrt(Math.max(0, squares / pixels - mean * mean)) + 1e-6);
  for (let index = 0; index < pixels; index++) field[index] = (field[index]! - mean) * inverse;
};

let tile: Float32Array | undefined;

/** Random waves with the band's amplitudes, transformed to space. The same tile for all datasets. */
const makeTile = (): Float32Array => {
  const random = randomStream("texture");
  const spectrum = new Float64Array(2 * side * side);
  const cycles = (index: number): number => (index <= side / 2 ? index : index - side) / side;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const octaves = Math.log(Math.hypot(cycles(x), cycles(y)) / tileFrequency) / bandwidth;
      if (!(Math.abs(octaves) < 4)) continue;
      const amplitude = Math.exp(-0.5 * octaves * octaves);
      const at = 2 * (y * side + x);
      spectrum[at] = amplitude * random.normal();
      spectrum[at + 1] = amplitude * random.normal();
    }
  }
  const plane = inverseTransform2d(spectrum);
  const real = Float32Array.from({ length: side * side }, (_, index) => plane[2 * index]!);
  const sd = Math.sqrt(real.reduce((sum, value) => sum + value * value, 0) / real.length);
  return real.map((value) => value / sd);
};

const inverseTransform2d = (spectrum: Float64Array): Float64Array => {
  const fft = new FFT(side);
  const transposed = new Float64Array(spectrum.length);
  const line = new Float64Array(2 * side);
  for (const [from, to] of [
    [spectrum, transposed],
    [transposed, spectrum],
  ] as const) {
    for (let y = 0; y < side; y++) {
      fft.inverseTransform(line, from.subarray(2 * y * side, 2 * (y + 1) * side));
      for (let x = 0; x < side; x++) {
        to[2 * (x * side + y)] = line[2 * x]!;
        to[2 * (x * side + y) + 1] = line[2 * x + 1]!;
      }
    }
  }
  return spectrum;
};
