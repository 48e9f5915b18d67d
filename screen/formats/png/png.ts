import type { PlaneAddress } from "../../image-source.ts";
import { decodePng } from "../../images.ts";
import type { Bytes } from "../../stores/bytes.ts";
import { unreadable } from "../../unreadable.ts";
import { bandOf } from "../bands.ts";
import type { ImageFile, ImageFormat, Plane } from "../format.ts";
import { checkPng, headerBytes, readPngHeader } from "./chunks.ts";

/** PNG of 8 or 16 bit, grey or, where the dataset says which channel is which, in colour. */
export const png: ImageFormat = {
  name: "PNG",
  recognises: (head) => signature.every((byte, i) => head[i] === byte),
  open: async (bytes) => openPng(bytes),
};

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const openPng = async (bytes: Bytes): Promise<ImageFile> => {
  const { width, height, bits, samples } = readPngHeader(await bytes.read(0, Math.min(headerBytes, bytes.size)));
  const kind = samples > 2 ? "a colour image" : "grey and transparency";
  const place = (address: PlaneAddress): number => {
    requireFirstPlane(address);
    return bandOf(samples, kind, address);
  };
  return {
    header: async (address) => {
      place(address);
      return { width, height, bits };
    },
    read: async (addresses): Promise<Plane[]> => {
      const bands = addresses.map(place);
      const file = await bytes.read(0, bytes.size);
      checkPng(file);
      const decoded = await decodePng(file, { width, height, bits, samples });
      return bands.map((band) => ({ pixels: bandAt(decoded, band), width, height }));
    },
  };
};

const bandAt = ({ pixels, samples }: Awaited<ReturnType<typeof decodePng>>, band: number) => {
  if (band >= samples) throw unreadable("transparency is asked for as a channel, which is not read");
  if (samples === 1) return pixels;
  const plane = pixels.slice(0, pixels.length / samples);
  for (let i = 0; i < plane.length; i++) plane[i] = pixels[i * samples + band]!;
  return plane;
};

const requireFirstPlane = ({ series, frame, channel, z, t }: PlaneAddress): void => {
  const positions = [series, frame, channel, z === "maximum" ? 0 : z, t];
  if (positions.every((position) => position === undefined || position === 0)) return;
  throw unreadable("a plane other than the first is asked for, and a PNG has one");
};
