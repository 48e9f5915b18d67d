/** OME-Zarr plates, 0.4 and 0.5: one `.zarr` or a folder of them, each a plate; on disk or, for one plate, in a store. */
import { basename, join } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import { readImageMetadata, readPlateMetadata, readWellMetadata } from "../screen/formats/ome-zarr/metadata.ts";
import { imageAt } from "../screen/image-source.ts";
import { readSourceHeader } from "../screen/read-site.ts";
import { chooseChannels } from "./channels.ts";
import type { SiteAddress } from "./dataset.ts";
import type { Layout } from "./layout.ts";
import type { Opening } from "./opening.ts";
import { type SiteSource, siteList } from "./site-list.ts";

const isZarr = (name: string): boolean => /\.zarr\/?$/i.test(name);

export const omeZarr: Layout = {
  withoutLabels: true,
  expects: "an OME-Zarr plate (.zarr), or a folder of such plates",
  detect: async ({ root, entries = [] }) =>
    isZarr(root) || (entries.some(isZarr) && !entries.some((name) => name.endsWith(".csv"))),
  async open({ root, entries }, opening) {
    const plates = isZarr(root) ? [root.replace(/\/$/, "")] : entries!.filter(isZarr).map((name) => join(root, name));
    const first = await readPlateMetadata(plates[0]!).catch(failedAt(plates[0]!));
    const well = `${plates[0]}/${first.plate.wells[0]!.path}`;
    const { well: fields } = await readWellMetadata(well).catch(failedAt(well));
    const image = `${well}/${fields.images[0]!.path}`;
    const channels = chooseChannels(await channelsOf(image), opening);
    await checkPlanes(image, opening);
    const list = siteList(opening);
    const experiment = basename(root).replace(/\.zarr\/?$/i, "");
    opening.took("experiment", `the name of the folder, ${experiment}`);
    opening.took("site", "the fields of each well, in their order");
    for (const plate of plates) {
      const { plate: about } = plate === plates[0] ? first : await readPlateMetadata(plate).catch(failedAt(plate));
      const name = about.name ?? basename(plate).replace(/\.zarr$/i, "");
      const wells = await Promise.all(
        about.wells.map(async ({ path }) => ({
          path,
          images: (await readWellMetadata(`${plate}/${path}`).catch(failedAt(`${plate}/${path}`))).well.images,
        })),
      );
      for (const { path, images } of wells) {
        const source = sourceOf(`${plate}/${path}`, images, channels, opening);
        const place = { experiment, cellType: "unknown", plate: name, well: wellName(path, plate) };
        for (const field of images.keys())
          list.add({ ...place, site: field + 1, wellType: "treatment" } satisfies SiteAddress, source, field);
      }
    }
    const names = channels.map((channel) => channel.name);
    return list.finish({ layout: "ome-zarr", root, channels: names, tables: [], taken: [], notes: [] });
  },
};

/** Names from `omero`; numbers where there are none. */
const channelsOf = async (image: string): Promise<string[]> => {
  const { omero, multiscales } = await readImageMetadata(image).catch(failedAt(image));
  const labels = omero?.channels.map(({ label = "" }, index) => label || `channel ${index + 1}`);
  if (labels !== undefined && new Set(labels).size === labels.length) return labels;
  if (!multiscales[0]!.axes.some(({ name }) => name === "c")) return ["channel 1"];
  throw new PlatestreamError("invalid-data", `${image} does not name its channels (omero.channels, each with a label)`);
};

/** Of stacks, the plane has to be chosen; reading the first image's header says whether it is. */
const checkPlanes = async (image: string, { plane, time, level }: Opening): Promise<void> => {
  await readSourceHeader(imageAt(image, { channel: 0, ...planeOf({ plane, time, level }) })).catch((thrown) => {
    const { rawMessage } = PlatestreamError.from(thrown);
    const way = rawMessage.includes("z-planes") ? "; choose one with --plane 0, or their maximum with --plane max" : "";
    throw new PlatestreamError("invalid-data", `${rawMessage}${way}`, { cause: thrown });
  });
};

const planeOf = ({ plane, time, level }: Pick<Opening, "plane" | "time" | "level">) => ({
  ...(plane === undefined ? {} : { z: plane === "max" ? ("maximum" as const) : plane }),
  ...(time === undefined ? {} : { t: time }),
  ...(level === undefined ? {} : { level }),
});

const sourceOf = (
  well: string,
  images: readonly { readonly path: string }[],
  channels: readonly { readonly name: string; readonly index: number }[],
  opening: Opening,
): SiteSource => ({
  place: (row) => `${well}/${images[row]!.path}`,
  columns: { site: "field", class: "class", wellType: "well type" },
  images: (row) =>
    channels.map(({ index }) => imageAt(`${well}/${images[row]!.path}`, { channel: index, ...planeOf(opening) })),
  metadata: () => ({}),
});

/** `B/3` and `B/03` are B03. */
const wellName = (path: string, plate: string): string => {
  const [, row, column] = /^([A-Za-z]{1,2})\/0*(\d{1,2})$/.exec(path) ?? [];
  if (row !== undefined && column !== undefined) return `${row.toUpperCase()}${column.padStart(2, "0")}`;
  throw new PlatestreamError("invalid-data", `${plate}: expected wells like B/03, got ${path}`);
};

const failedAt =
  (location: string) =>
  (thrown: unknown): never => {
    const { rawMessage } = PlatestreamError.from(thrown);
    throw new PlatestreamError("invalid-data", `${location}: ${rawMessage}`, { cause: thrown });
  };
