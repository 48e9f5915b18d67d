/** Turns, scales and bends the grey levels of pictures: changes that leave a class alone and make fields unlike each other. */

/** How a point of the target is found in the source, both counted from their centres. */
export interface Warp {
  /** Radians, clockwise as the picture is seen. */
  readonly angle: number;
  /** Above 1 the cells become larger. */
  readonly zoom: number;
  readonly hflip: boolean;
  /** Centre in the source, in pixels. */
  readonly centreY: number;
  readonly centreX: number;
}

export interface Frame {
  readonly height: number;
  readonly width: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
}

/** Outside of the picture its mirror image goes on. */
const mirrored = (at: number, size: number): number => {
  const period = 2 * size;
  const within = ((at % period) + period) % period;
  return within < size ? within : period - 1 - within;
};

/** Writes the warped `source` [C, height, width] to `target` at `at`, as [C, cropHeight, cropWidth], bilinearly. */
export const writeWarped = <T extends Uint8Array | Uint16Array>(
  target: T,
  at: number,
  source: T,
  { angle, zoom, hflip, centreY, centreX }: Warp,
  { height, width, cropHeight, cropWidth }: Frame,
): void => {
  const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom];
  const area = height * width;
  const channels = source.length / area;
  const plane = cropHeight * cropWidth;
  for (let y = 0; y < cropHeight; y++) {
    const dy = y - (cropHeight - 1) / 2;
    for (let x = 0; x < cropWidth; x++) {
      const dx = (hflip ? -1 : 1) * (x - (cropWidth - 1) / 2);
      const sy = centreY + cos * dy - sin * dx;
      const sx = centreX + sin * dy + cos * dx;
      const [top, left] = [Math.floor(sy), Math.floor(sx)];
      const [fy, fx] = [sy - top, sx - left];
      const [y0, y1] = [mirrored(top, height) * width, mirrored(top + 1, height) * width];
      const [x0, x1] = [mirrored(left, width), mirrored(left + 1, width)];
      for (let c = 0, from = 0, to = at + y * cropWidth + x; c < channels; c++, from += area, to += plane) {
        const upper = source[from + y0 + x0]! * (1 - fx) + source[from + y0 + x1]! * fx;
        const lower = source[from + y1 + x0]! * (1 - fx) + source[from + y1 + x1]! * fx;
        target[to] = upper * (1 - fy) + lower * fy + 0.5;
      }
    }
  }
};

/** Raises the grey levels of `length` pixels from `at` on to the power of `gamma`; black and `white` stay where they are. */
export const bend = (
  pixels: Uint8Array | Uint16Array,
  at: number,
  length: number,
  gamma: number,
  white = 255,
): void => {
  const table = Float64Array.from({ length: white + 1 }, (_, level) => white * (level / white) ** gamma + 0.5);
  for (let i = at; i < at + length; i++) pixels[i] = table[pixels[i]!]!;
};

/** A normal number, by Box and Muller. */
export const normalDraw = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
