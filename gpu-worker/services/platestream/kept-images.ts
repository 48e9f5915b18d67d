/** Images of calibrations, kept until they are predicted, so that they cross the network once. */
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../../../common/errors.ts";
import type { Images } from "../../../common/inference.ts";

export interface KeptImages {
  keep(id: string, images: Images): void;
  /** Throws "unknown-images" where they are not held (any more). */
  get(id: string): Images;
  drop(id: string): void;
}

/** The ones that nobody asked for longest go when all take more than so many bytes. */
export const keptImages = (mostBytes = 256 * 2 ** 20): KeptImages => {
  const kept = new LRUCache<string, Images>({
    maxSize: mostBytes,
    sizeCalculation: ({ pixels }) => Math.max(1, pixels.buffer.byteLength),
  });
  return {
    keep: (id, images) => void kept.set(id, images),
    get(id) {
      const images = kept.get(id);
      if (images !== undefined) return images;
      throw new PlatestreamError(
        "unknown-images",
        `this worker does not hold the images "${id}"; send the request again with their pixels`,
      );
    },
    drop: (id) => void kept.delete(id),
  };
};
