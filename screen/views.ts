/** Quarter turns, mirror images and crops of pictures. A picture of cells has no top: all its views show the same. */

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

type Pixels = Uint8Array | Uint16Array | Float32Array;

export interface ViewFrame {
  readonly height: number;
  readonly width: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
}

/** Writes the view of `source` [C, height, width] to `target` at `at`, as [C, cropHeight, cropWidth]. */
export const writeView = (
  target: Pixels,
  at: number,
  source: Pixels,
  { turns, hflip, vflip, top, left }: View,
  { height, width, cropHeight, cropWidth }: ViewFrame,
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

/** The 8 views of a square, the 4 of another rectangle; the first is the picture as it is. */
export const allViews = (height: number, width: number): readonly View[] =>
  ([0, 1, 2, 3] as const)
    .filter((turns) => height === width || turns % 2 === 0)
    .flatMap((turns) => [false, true].map((hflip) => ({ turns, hflip, vflip: false, top: 0, left: 0 })));

/** All pictures [N, C, height, width] in one view that keeps their size. */
export const viewOf = <T extends Pixels>(
  pixels: T,
  view: View,
  [images, channels, height, width]: readonly [number, number, number, number],
): T => {
  const seen = pixels.slice() as T;
  const size = channels * height * width;
  const frame = { height, width, cropHeight: height, cropWidth: width };
  for (let at = 0; at < images * size; at += size) writeView(seen, at, pixels.subarray(at, at + size), view, frame);
  return seen;
};
