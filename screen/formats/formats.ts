/** The file formats that are read. A new one is a file that makes an `ImageFormat`, and a line here. */
import { unreadable } from "../unreadable.ts";
import type { ImageFormat } from "./format.ts";
import { png } from "./png/png.ts";
import { tiff } from "./tiff/tiff.ts";

const formats: readonly ImageFormat[] = [png, tiff];

/** The format of a file that begins with these bytes. */
export const formatOf = (head: Uint8Array): ImageFormat => {
  const found = formats.find((format) => format.recognises(head));
  if (found !== undefined) return found;
  if (head.every((byte) => byte === 0)) throw unreadable("the file is damaged: it begins with zeros");
  const names = formats.map(({ name }) => name).join(" and ");
  throw unreadable(`${nameOf(head)}; ${names} are read: convert it without loss`);
};

const others: Readonly<Record<string, string>> = {
  "\xff\xd8\xff": "a JPEG, whose compression changes the measured values",
  GIF8: "a GIF",
  BM: "a BMP",
  RIFF: "a WebP or other RIFF file",
  "\0\0\0\x0cjP": "a JPEG 2000",
  "\x89HDF": "an HDF5 file",
  "\x93NUMPY": "a NumPy array",
  ZISRAWFILE: "a Zeiss CZI",
  "\xda\xce\xbe\n": "a Nikon ND2",
  "p\0\0\0": "a Leica LIF",
  "<": "a text (HTML or XML), perhaps the error page of a download",
};

const nameOf = (head: Uint8Array): string => {
  const text = String.fromCharCode(...head);
  const start = Object.keys(others).find((each) => text.startsWith(each));
  return start === undefined
    ? "the file is not an image of a format that is known here"
    : `the file is ${others[start]}`;
};
