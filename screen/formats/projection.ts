import { unreadable } from "../unreadable.ts";
import type { Plane } from "./format.ts";

/** The largest value of every pixel. One plane is itself. */
export const maximum = (planes: readonly Plane[]): Plane => {
  const [first, ...rest] = planes as [Plane, ...Plane[]];
  if (rest.length === 0) return first;
  const pixels = first.pixels.slice();
  for (const plane of rest) {
    if (
      plane.width !== first.width ||
      plane.height !== first.height ||
      plane.pixels.BYTES_PER_ELEMENT !== pixels.BYTES_PER_ELEMENT
    )
      throw unreadable(`its planes differ: ${first.width}x${first.height} and ${plane.width}x${plane.height} pixels`);
    for (let i = 0; i < pixels.length; i++) if (plane.pixels[i]! > pixels[i]!) pixels[i] = plane.pixels[i]!;
  }
  return { ...first, pixels };
};
