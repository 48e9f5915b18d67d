/** UMAP (McInnes, Healy and Melville, 2018) of the first principal components, off the page's thread. */
import { UMAP } from "umap-js";

export interface UmapRequest {
  /** [rows, length] */
  readonly values: Float32Array;
  readonly length: number;
}
export type UmapAnswer =
  | { readonly type: "progress"; readonly share: number }
  /** [rows, 2] */
  | { readonly type: "done"; readonly points: Float32Array };

const neighbours = 15;

/** The same picture every time: mulberry32. */
const seeded = (): (() => number) => {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

self.onmessage = ({ data: { values, length } }: MessageEvent<UmapRequest>) => {
  const rows = Array.from({ length: values.length / length }, (_, row) => [
    ...values.subarray(row * length, (row + 1) * length),
  ]);
  const umap = new UMAP({ nNeighbors: Math.min(neighbours, rows.length - 1), random: seeded() });
  const epochs = umap.initializeFit(rows);
  for (let epoch = 0; epoch < epochs; epoch++) {
    umap.step();
    if (epoch % 10 === 0) postMessage({ type: "progress", share: epoch / epochs } satisfies UmapAnswer);
  }
  postMessage({ type: "done", points: Float32Array.from(umap.getEmbedding().flat()) } satisfies UmapAnswer);
};
