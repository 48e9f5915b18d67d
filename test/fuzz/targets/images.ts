/** Images: our own reading of TIFF, and what stands before the decoder of PNG. */
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { page, writeTiff } from "../../kit/tiff.ts";
import type { Target } from "../target.ts";

const raw = { width: 12, height: 10, channels: 1 } as const;
const pixels = Uint8Array.from({ length: 120 }, (_, index) => index * 2);
const grey = () => sharp(pixels, { raw }).toColourspace("b-w");

const packBits = Uint8Array.from([...[3, 1, 2, 3, 4], ...[0xf9, 9], 0x80]);
const ome = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="P" DimensionOrder="XYCZT" Type="uint8" SizeX="4" SizeY="3" SizeC="2" SizeZ="1" SizeT="1"><Channel ID="C0" Name="DNA"/><Channel ID="C1" Name="ER"/><TiffData IFD="0" PlaneCount="2"/></Pixels></Image></OME>`;
const imageJ = "ImageJ=1.53\nimages=2\nchannels=2\nhyperstack=true\nmode=grayscale\n";

const ramp = (step: number) => Array.from({ length: 768 }, (_, index) => (index % 256) * step);
/** Tags that each take another way through the reader. */
const odd = [
  ...[
    { 274: [3] },
    { 266: [2] },
    { 339: [5] },
    { 339: [4] },
    { 338: [1], 277: [2], 258: [8, 8] },
    { 262: [0] },
    { 262: [6] },
  ],
  ...[
    { 258: [16], 339: [3] },
    { 258: [16], 339: [2] },
    { 258: [32], 339: [2] },
    { 258: [24] },
    { 258: [64], 339: [3] },
  ],
  ...[
    { 258: [32] },
    { 258: [10] },
    { 258: [1] },
    { 258: [8, 16, 8], 277: [3], 262: [2] },
    { 259: [7] },
    { 259: [50_000] },
  ],
  ...[{ 262: [3], 320: ramp(257) }, { 262: [3], 320: ramp(1) }, { 262: [3], 320: [1, 2] }, { 262: [2] }, { 284: [3] }],
  ...[
    { 277: [3], 258: [8, 8, 8], 262: [2], 284: [2], 273: [8, 20, 32], 279: [12, 12, 12] },
    { 278: [1], 273: [8, 12, 16], 279: [4, 4, 4] },
  ],
  ...[
    { 322: [16], 323: [16], 324: [8], 325: [256] },
    { 322: [0], 323: [16], 324: [8], 325: [0] },
    { 273: [8], 279: [0] },
  ],
] as const;

/** The same picture as the first, 16 bit, with the most significant byte first. */
const bigEndian = Buffer.concat([
  Buffer.from("4d4d002a00000020", "hex"),
  Buffer.alloc(24, 7),
  Buffer.from("0008", "hex"),
  ...[
    [256, 4],
    [257, 3],
    [258, 16],
    [259, 1],
    [262, 1],
  ].map(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16BE(tag!, 0);
    entry.writeUInt16BE(3, 2);
    entry.writeUInt32BE(1, 4);
    entry.writeUInt16BE(value!, 8);
    return entry;
  }),
  ...[
    [273, 8],
    [278, 3],
    [279, 24],
  ].map(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16BE(tag!, 0);
    entry.writeUInt16BE(4, 2);
    entry.writeUInt32BE(1, 4);
    entry.writeUInt32BE(value!, 8);
    return entry;
  }),
  Buffer.alloc(4),
]);

const strip = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, index) => index * 3));
const tiffs = async (): Promise<Uint8Array[]> => [
  writeTiff(page(4, 3, strip(12))),
  writeTiff(page(4, 3, strip(24), { 258: [16] })),
  writeTiff(page(4, 3, strip(48), { 258: [32], 339: [3] })),
  writeTiff(page(4, 3, strip(18), { 258: [12] })),
  writeTiff(page(4, 3, strip(6), { 258: [4], 262: [3], 320: Array.from({ length: 48 }, (_, index) => index) })),
  writeTiff(page(4, 3, deflateSync(strip(12)), { 259: [8], 317: [2] })),
  writeTiff(page(4, 3, packBits, { 259: [32_773] })),
  writeTiff(page(4, 3, strip(36), { 258: [8, 8, 8], 262: [2], 277: [3], 284: [1] })),
  writeTiff(page(4, 3, strip(12), { 270: ome }), page(4, 3, strip(12))),
  writeTiff(page(4, 3, strip(12), { 270: imageJ }), page(4, 3, strip(12))),
  writeTiff(page(4, 3, strip(12)), page(4, 3, strip(12), { 254: [1] })),
  ...odd.map((tags) => writeTiff(page(4, 3, strip(256), tags))),
  writeTiff(page(4, 3, deflateSync(strip(48)), { 258: [32], 259: [8], 317: [3], 339: [3] })),
  writeTiff(page(4, 3, Buffer.from([0, 1, ...strip(20)]), { 259: [5] })),
  writeTiff(page(4, 3, Buffer.from([0x80, ...strip(20)]), { 259: [5] })),
  ...[
    ome.replace(/<TiffData.*?>/, ""),
    ome.replace("<TiffData ", '<TiffData FirstC="1" '),
    ome.replace("XYCZT", "XYTZC"),
  ].map((text) => writeTiff(page(4, 3, strip(12), { 270: text }), page(4, 3, strip(12)))),
  writeTiff(
    page(4, 3, strip(12), { 270: imageJ.replace("channels=2", "slices=2\nchannels=1") }),
    page(4, 3, strip(12)),
  ),
  bigEndian,
  await grey().tiff({ compression: "lzw", predictor: "horizontal" }).toBuffer(),
  await grey().tiff({ compression: "deflate", tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
  await grey().toColourspace("grey16").tiff({ compression: "none", bigtiff: true }).toBuffer(),
];

const addresses = [
  {},
  { frame: 1 },
  { channel: 1 },
  { channel: "DNA", z: "maximum" },
  { band: 0 },
  { series: 0, t: 0 },
] as const;

export const images: readonly Target[] = [
  {
    name: "tiff",
    parsers: [
      ...["decompress", "directory", "lzw", "page", "read-page", "samples", "series", "tiff"].map(
        (name) => `screen/formats/tiff/${name}.ts`,
      ),
      "screen/formats/axes.ts",
    ],
    seeds: tiffs,
    words: [
      "II*\0",
      "MM\0*",
      "SizeC=",
      "DimensionOrder=",
      "<TiffData",
      "IFD=",
      "images=",
      "slices=",
      "\u0001\u0003",
      "\u0001\u0004",
    ],
    async open() {
      const { formatOf } = await import("../../../screen/formats/formats.ts");
      const { bytesInMemory } = await import("../../../screen/stores/bytes.ts");
      return async (input) => {
        const file = await formatOf(input.subarray(0, 16)).open(bytesInMemory(input));
        const address = addresses[input.length % addresses.length]!;
        const { width, height } = await file.header(address);
        const [plane] = await file.read([address], input.length % 3 === 0 ? [0, 200] : undefined);
        if (plane!.pixels.length !== width * height) throw new Error("the plane has another size than its header says");
      };
    },
  },
  {
    name: "png",
    parsers: ["screen/formats/png/chunks.ts", "screen/formats/png/png.ts"],
    seeds: async () => [
      await grey().png().toBuffer(),
      await grey().toColourspace("grey16").png().toBuffer(),
      await sharp(pixels.subarray(0, 108), { raw: { width: 6, height: 6, channels: 3 } })
        .png({ palette: true })
        .toBuffer(),
      await grey().png({ progressive: true }).withMetadata().toBuffer(),
    ],
    words: ["IHDR", "IDAT", "IEND", "PLTE", "sBIT", "gAMA", "tRNS", "iCCP", "acTL"],
    async open() {
      const { formatOf } = await import("../../../screen/formats/formats.ts");
      const { bytesInMemory } = await import("../../../screen/stores/bytes.ts");
      return async (input) => {
        const right = input.length % 4 === 0 ? input : withChecksums(input);
        const file = await formatOf(right.subarray(0, 16)).open(bytesInMemory(right));
        const address = addresses[input.length % 2]!;
        const { width, height } = await file.header(address);
        if (width * height > 1e6) return;
        await file.read([address]);
      };
    },
  },
];

/** Mutated chunks with checksums that fit, or nothing behind them would ever be reached. */
const withChecksums = (input: Uint8Array): Uint8Array => {
  const bytes = Buffer.from(input);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (end + 4 > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return bytes;
};
