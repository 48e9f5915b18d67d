/** From a location to an open image file. */
import type { ImageFile } from "./formats/format.ts";
import { formatOf } from "./formats/formats.ts";
import { isOmeZarr, openOmeZarr } from "./formats/ome-zarr/ome-zarr.ts";
import type { Bytes } from "./stores/bytes.ts";
import { openLocation } from "./stores/stores.ts";

/** Hands the image file at `location` to `use`, and closes it afterwards. */
export const withImageFile = async <T>(location: string, use: (file: ImageFile) => Promise<T>): Promise<T> => {
  if (isOmeZarr(location)) return use(await openOmeZarr(location));
  const bytes: Bytes = await openLocation(location);
  try {
    const head = await bytes.read(0, Math.min(16, bytes.size));
    return await use(await formatOf(head).open(bytes));
  } finally {
    await bytes.close();
  }
};
