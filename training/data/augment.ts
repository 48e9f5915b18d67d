/** Random views of pictures, which leave their class alone, and MixUp. */
import type { View, ViewFrame } from "../../screen/views.ts";

export interface ViewOptions extends ViewFrame {
  readonly augment: { readonly rot90: boolean; readonly hflip: boolean; readonly vflip: boolean };
}

/** Draws a view; `random` gives numbers in [0, 1). The number of draws does not depend on the options. */
export const drawView = (random: () => number, options: ViewOptions): View => {
  const { height, width, cropHeight, cropWidth, augment } = options;
  const square = cropHeight === cropWidth;
  const turns = Math.floor(4 * random());
  const [hflip, vflip] = [random() < 0.5, random() < 0.5];
  const within = (room: number) => Math.floor(random() * (room + 1));
  return {
    turns: (augment.rot90 ? (square ? turns : turns & 2) : 0) as View["turns"],
    hflip: augment.hflip && hflip,
    vflip: augment.vflip && vflip,
    top: within(height - cropHeight),
    left: within(width - cropWidth),
  };
};

/** A number from Beta(alpha, alpha). */
export const betaDraw = (random: () => number, alpha: number): number => {
  const [x, y] = [gammaDraw(random, alpha), gammaDraw(random, alpha)];
  return x + y === 0 ? 0.5 : x / (x + y);
};

/** Marsaglia and Tsang 2000; for shapes below 1 with the power of a uniform number. */
const gammaDraw = (random: () => number, shape: number): number => {
  if (shape < 1) return gammaDraw(random, shape + 1) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const v = (1 + normal / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * normal * normal + d - d * v + d * Math.log(v)) return d * v;
  }
};

/** Rows become share * row + (1 - share) * partner; whole numbers are rounded. */
export const mixRows = <T extends Uint8Array | Uint16Array | Float32Array>(
  rows: T,
  partners: readonly number[],
  share: number,
): T => {
  const size = rows.length / partners.length;
  const round = rows instanceof Float32Array ? 0 : 0.5;
  return rows.map((value, i) => {
    const partner = partners[Math.floor(i / size)]!;
    return share * value + (1 - share) * rows[partner * size + (i % size)]! + round;
  }) as T;
};
