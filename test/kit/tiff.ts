/** Writes TIFFs with any tags, right or wrong: little-endian, one strip per page. */

export type Tags = Readonly<Record<number, readonly number[] | string>>;

export interface TiffPage {
  /** Added to those of a grey image of 8 bit, which they replace. */
  readonly tags: Tags;
  /** The bytes of the strip. */
  readonly strip: Uint8Array;
}

export const writeTiff = (...pages: readonly TiffPage[]): Uint8Array => {
  const parts: Buffer[] = [Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0])];
  let length = 8;
  const append = (part: Buffer): number => {
    const at = length;
    const padded = part.length % 2 === 0 ? part : Buffer.concat([part, Buffer.alloc(1)]);
    parts.push(padded);
    length += padded.length;
    return at;
  };
  let link: readonly [part: Buffer, at: number] = [parts[0]!, 4];
  for (const { tags, strip } of pages) {
    const at = append(Buffer.from(strip));
    const all: Tags = { 258: [8], 259: [1], 262: [1], 273: [at], 277: [1], 279: [strip.length], ...tags };
    const numbers = Object.keys(all).map(Number);
    const directory = Buffer.alloc(2 + 12 * numbers.length + 4);
    directory.writeUInt16LE(numbers.length, 0);
    numbers.forEach((tag, i) => {
      const value = all[tag]!;
      const data = typeof value === "string" ? Buffer.from(`${value}\0`) : Buffer.from(Uint32Array.from(value).buffer);
      const entry = 2 + 12 * i;
      directory.writeUInt16LE(tag, entry);
      directory.writeUInt16LE(typeof value === "string" ? 2 : 4, entry + 2);
      directory.writeUInt32LE(typeof value === "string" ? data.length : value.length, entry + 4);
      if (data.length <= 4) data.copy(directory, entry + 8);
      else directory.writeUInt32LE(append(data), entry + 8);
    });
    link[0].writeUInt32LE(append(directory), link[1]);
    link = [directory, directory.length - 4];
  }
  return Buffer.concat(parts);
};

/** A page of `width` pixels a row, 8 bit unless the tags say otherwise. */
export const page = (width: number, height: number, strip: Uint8Array, tags: Tags = {}): TiffPage => ({
  tags: { 256: [width], 257: [height], 278: [height], ...tags },
  strip,
});
