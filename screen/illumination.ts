/** Illumination functions: how bright the microscope made each place of the field, to divide images by. */
import { LRUCache } from "lru-cache";
import type { Plane } from "./formats/format.ts";
import { type NpyArray, parseNpy } from "./formats/npy.ts";
import type { Pixels } from "./formats/pixel-values.ts";
import { readIfThere } from "./stores/read-if-there.ts";
import { unreadable } from "./unreadable.ts";

/** One function serves a whole plate. */
const functions = new LRUCache<string, Promise<NpyArray>>({ max: 16 });

/** Divides the plane by the function in the .npy at `location`. */
export const correctBy = async (plane: Plane, location: string): Promise<Plane> => {
  const reading = functions.get(location) ?? readFunction(location);
  functions.set(location, reading);
  reading.catch(() => functions.delete(location));
  const { values, height, width } = await reading;
  if (height !== plane.height || width !== plane.width)
    throw unreadable(
      `the illumination function ${location} is for ${width}x${height} pixels, the image has ${plane.width}x${plane.height}`,
    );
  const pixels = plane.pixels.slice();
  divide(pixels, 0, values);
  return { ...plane, pixels };
};

/**
 * Divides `field.length` pixels from `at` on, and rounds. What becomes brighter than the type holds stays at its end, as in
 * the camera.
 */
export const divide = (pixels: Pixels, at: number, field: Float64Array): void => {
  const most = pixels instanceof Uint8Array ? 255 : 65535;
  for (let i = 0; i < field.length; i++) pixels[at + i] = Math.min(most, Math.round(pixels[at + i]! / field[i]!));
};

const readFunction = async (location: string): Promise<NpyArray> => {
  const file = await readIfThere(location);
  if (file === undefined) throw unreadable(`the illumination function ${location} is missing`);
  const array = parseNpy(file);
  if (array.values.every((value) => value > 0 && Number.isFinite(value))) return array;
  throw unreadable(`the illumination function ${location} must be above zero everywhere`);
};
