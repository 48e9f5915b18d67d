/** What OME-Zarr (NGFF) 0.4 and 0.5 say of plates, wells and images: the parts that are needed here. */

import { z } from "zod";
import { PlatestreamError } from "../../../common/errors.ts";
import { problemsIn } from "../../../common/schema.ts";
import { readIfThere } from "../../stores/read-if-there.ts";
import { unreadable } from "../../unreadable.ts";

const image = z.object({
  multiscales: z
    .array(
      z.object({
        axes: z.array(z.object({ name: z.string() })).min(2),
        datasets: z.array(z.object({ path: z.string() })).min(1),
      }),
    )
    .min(1),
  omero: z.object({ channels: z.array(z.object({ label: z.string().optional() })) }).optional(),
});
export type ImageMetadata = z.output<typeof image>;

const well = z.object({ well: z.object({ images: z.array(z.object({ path: z.string() })).min(1) }) });

const plate = z.object({
  plate: z.object({
    name: z.string().optional(),
    wells: z.array(z.object({ path: z.string() })).min(1),
  }),
});

export const readImageMetadata = (group: string): Promise<ImageMetadata> => read(group, image, "an image");
export const readWellMetadata = (group: string) => read(group, well, "a well");
export const readPlateMetadata = (group: string) => read(group, plate, "a plate");

const read = async <T>(group: string, schema: z.ZodType<T>, what: string): Promise<T> => {
  const attributes = await attributesOf(group);
  if (attributes === undefined)
    throw unreadable("the folder is missing, or is not a Zarr group (.zattrs or zarr.json)");
  const parsed = schema.safeParse(attributes);
  if (parsed.success) return parsed.data;
  const problems = problemsIn(parsed.error);
  throw unreadable(`is not ${what} of OME-Zarr 0.4 or 0.5: ${problems.slice(0, 3).join("; ")}`);
};

/** Version 3 of Zarr keeps them in zarr.json, below `ome`; version 2 in .zattrs. */
const attributesOf = async (group: string): Promise<unknown> => {
  const third = parse(await readIfThere(`${group}/zarr.json`)) as { attributes?: { ome?: unknown } } | undefined;
  if (third !== undefined) return third.attributes?.ome ?? third.attributes ?? {};
  return parse(await readIfThere(`${group}/.zattrs`));
};

const parse = (bytes: Uint8Array | undefined): unknown => {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new PlatestreamError("unreadable-image", "the metadata of a Zarr group is not JSON", { cause });
  }
};
