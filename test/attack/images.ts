/** Batches for the fixtures' networks, which read 6x32x32. */
import { seededRandom } from "../../common/random.ts";

export const shape = (count: number) => [count, 6, 32, 32];

/** Noise, the same each time; `change` replaces fields of the message. */
export const images = (count: number, change: object = {}): object => {
  const random = seededRandom(String(count));
  const pixels = Buffer.from(Array.from({ length: count * 6 * 32 * 32 }, () => Math.floor(random() * 256)));
  return { pixels, type: "UINT8", shape: shape(count), ...change };
};

/** The same in float32: `value` of each pixel. */
export const floatImages = (count: number, value: (index: number) => number, change: object = {}): object => {
  const pixels = Buffer.from(Float32Array.from({ length: count * 6 * 32 * 32 }, (_, index) => value(index)).buffer);
  return { pixels, type: "FLOAT32", shape: shape(count), ...change };
};
