/** From a location to an open image file. */
import { createHash } from "node:crypto";
import type { ImageFile } from "./formats/format.ts";
import { formatOf } from "./formats/formats.ts";
import { isOmeZarr, openOmeZarr } from "./formats/ome-zarr/ome-zarr.ts";
import type { Checksum } from "./image-source.ts";
import type { Bytes } from "./stores/bytes.ts";
import { openLocation } from "./stores/stores.ts";
import { unreadable } from "./unreadable.ts";

/** Hands the image file at `location` to `use`, and closes it afterwards. */
export const withImageFile = async <T>(
  location: string,
  use: (file: ImageFile) => Promise<T>,
  checksums: readonly Checksum[] = [],
): Promise<T> => {
  if (isOmeZarr(location) && checksums.length > 0)
    throw unreadable("an OME-Zarr image is not a single file with a checksum");
  if (isOmeZarr(location)) return use(await openOmeZarr(location));
  const bytes: Bytes = await openLocation(location);
  try {
    for (const checksum of checksums) await requireChecksum(bytes, checksum);
    const head = await bytes.read(0, Math.min(16, bytes.size));
    return await use(await formatOf(head).open(bytes));
  } finally {
    await bytes.close();
  }
};

const pieceBytes = 16 * 2 ** 20;

/** The only way to see a change that the file's own format does not show. */
const requireChecksum = async (bytes: Bytes, { algorithm, hex }: Checksum): Promise<void> => {
  const hash = createHash(algorithm);
  for (let at = 0; at < bytes.size; at += pieceBytes)
    hash.update(await bytes.read(at, Math.min(pieceBytes, bytes.size - at)));
  const got = hash.digest("hex");
  if (got === hex) return;
  throw unreadable(`the file was changed or damaged: its ${algorithm} is ${got}, the dataset says ${hex}`);
};
