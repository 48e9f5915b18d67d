/** Which page holds which channel, z-plane and time point: from OME-XML, from ImageJ's words, or a plain list of pages. */
import { XMLParser } from "fast-xml-parser";
import { unreadable } from "../../unreadable.ts";
import { type Axes, indexOf, planeCount } from "../axes.ts";

export interface Series {
  readonly axes: Axes;
  /** Page of a plane, by its number in the order of the axes; undefined where the plane lies in another file. */
  page(plane: number): number | undefined;
}

/** The images that the first page's description lists; undefined where it says nothing about pages. */
export const seriesOf = (description: string, pages: number): readonly Series[] | undefined => {
  if (/<(\w+:)?OME[\s>]/.test(description)) return omeSeries(description);
  return description.startsWith("ImageJ=") ? imageJSeries(description, pages) : undefined;
};

const imageJSeries = (description: string, pages: number): readonly Series[] => {
  const number = (name: string) => Number(new RegExp(`^${name}=(\\d+)`, "m").exec(description)?.[1] ?? 1);
  if (number("images") > pages)
    throw unreadable(
      `ImageJ's stack of ${number("images")} images with only ${pages} listed in the file (ImageJ writes this above ` +
        "4 GB) is not read; save it as OME-TIFF",
    );
  const [c, z, t] = [number("channels"), number("slices"), number("frames")];
  if (c * z * t !== pages) return [plainSeries(pages)];
  return [{ axes: { order: "czt", c, z, t, channels: [] }, page: (plane) => plane }];
};

/** Pages without a meaning: they can only be counted. */
export const plainSeries = (pages: number): Series => ({
  axes: { order: "czt", c: 1, z: 1, t: 1, frames: pages, channels: [] },
  page: (plane) => plane,
});

const lists = ["Image", "Channel", "TiffData"];
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  removeNSPrefix: true,
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => lists.includes(name),
});

type Element = { readonly [name: string]: string | Element | readonly Element[] | undefined };

const omeSeries = (xml: string): readonly Series[] => {
  let root: Element;
  try {
    root = (parser.parse(xml) as { OME: Element }).OME;
  } catch (cause) {
    throw unreadable(`the file is damaged: its OME-XML cannot be read (${(cause as Error).message})`, cause);
  }
  const images = (root.Image ?? []) as readonly Element[];
  if (images.length === 0) throw unreadable("the OME-XML of this file stands in another one; name its pages instead");
  return images.map(({ Pixels: pixels }) => {
    if (typeof pixels !== "object" || pixels === null)
      throw unreadable("the file is damaged: an image of its OME-XML has no Pixels");
    return oneSeries(pixels as Element, text(root.UUID));
  });
};

const oneSeries = (pixels: Element, fileId: string): Series => {
  const order = text(pixels.DimensionOrder).slice(2).toLowerCase();
  if (!/^(czt|ctz|zct|ztc|tcz|tzc)$/.test(order))
    throw unreadable(`the file is damaged: its OME-XML has the order of dimensions ${text(pixels.DimensionOrder)}`);
  const channels = (pixels.Channel ?? []) as readonly Element[];
  if (channels.some((channel) => Number(text(channel.SamplesPerPixel) || 1) > 1))
    throw unreadable("its OME-XML has channels in colour, which are not read; save one channel per plane");
  const axes: Axes = {
    order: order as Axes["order"],
    c: size(pixels, "SizeC"),
    z: size(pixels, "SizeZ"),
    t: size(pixels, "SizeT"),
    channels: channels.map((channel) => text(channel.Name)),
  };
  const pages = new Map<number, number>();
  const data = (pixels.TiffData ?? []) as readonly (Element | string)[];
  for (const entry of data) {
    const at = typeof entry === "string" ? {} : entry;
    if (isElsewhere(at, fileId)) continue;
    const first = indexOf(axes, { c: number(at.FirstC), z: number(at.FirstZ), t: number(at.FirstT) });
    const page = number(at.IFD);
    const count = at.PlaneCount === undefined ? (at.IFD === undefined ? planeCount(axes) : 1) : number(at.PlaneCount);
    for (let i = 0; i < count; i++) pages.set(first + i, page + i);
  }
  return { axes, page: (plane) => (data.length === 0 ? plane : pages.get(plane)) };
};

const isElsewhere = (data: Element, fileId: string): boolean => {
  const id = typeof data.UUID === "string" ? data.UUID : text((data.UUID as Element | undefined)?.["#text"]);
  return id !== "" && fileId !== "" && id !== fileId;
};

const size = (pixels: Element, name: string): number => {
  const value = Number(text(pixels[name]));
  if (Number.isInteger(value) && value > 0) return value;
  throw unreadable(`the file is damaged: its OME-XML says ${name}="${text(pixels[name])}"`);
};

const number = (value: Element[string]): number => Number(text(value) || 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
