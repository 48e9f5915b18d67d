/** Changes to images that leave their class alone: quarter turns, mirroring, crops, and MixUp. */

/** A view of a square or rectangular picture; the turn comes first, then the mirroring. */
export interface View {
  /** Quarter turns counter-clockwise; odd ones need a square picture. */
  readonly turns: 0 | 1 | 2 | 3;
  readonly hflip: boolean;
  readonly vflip: boolean;
  /** Top left corner of the part that is used. */
  readonly top: number;
  readonly left: number;
}

export interface ViewOptions {
  readonly height: number;
  readonly width: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
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

/** Writes the view of `source` [C, height, width] to `target` at `at`, as [C, cropHeight, cropWidth]. */
export const writeView = (
  target: Uint8Array | Uint16Array,
  at: number,
  source: Uint8Array | Uint16Array,
  { turns, hflip, vflip, top, left }: View,
  { height, width, cropHeight, cropWidth }: Omit<ViewOptions, "augment">,
): void => {
  // Where a step right and a step down in the target lead to in the source, and where the target's corner lies.
  const corner = (y: number, x: number): readonly [number, number] => {
    const [my, mx] = [vflip ? cropHeight - 1 - y : y, hflip ? cropWidth - 1 - x : x];
    if (turns === 0) return [my, mx];
    if (turns === 1) return [mx, cropWidth - 1 - my];
    if (turns === 2) return [cropHeight - 1 - my, cropWidth - 1 - mx];
    return [cropHeight - 1 - mx, my];
  };
  const place = (y: number, x: number) => {
    const [sy, sx] = corner(y, x);
    return (top + sy) * width + left + sx;
  };
  const origin = place(0, 0);
  const [right, down] = [place(0, 1) - origin, place(1, 0) - origin];
  const channels = source.length / (height * width);
  let to = at;
  for (let channel = 0; channel < channels; channel++) {
    let row = channel * height * width + origin;
    for (let y = 0; y < cropHeight; y++, row += down) {
      for (let x = 0, from = row; x < cropWidth; x++, from += right) target[to++] = source[from]!;
    }
  }
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
