/** The directories of a TIFF (classic and BigTIFF, both byte orders): one per page, tag to values. Adobe TIFF 6.0. */
import type { Bytes } from "../../stores/bytes.ts";
import { unreadable } from "../../unreadable.ts";

export interface Directory {
  /** Numbers of a tag; none where it is absent or holds text or bytes of unknown meaning. */
  numbers(tag: number): readonly number[];
  text(tag: number): string;
  has(tag: number): boolean;
  /** How many values a tag has; 0 where it is absent. */
  count(tag: number): number;
}

export interface Tiff {
  readonly littleEndian: boolean;
  readonly directories: readonly Directory[];
}

const mostDirectories = 100_000;
const mostEntries = 4096;

/** Bytes per value of the field types; those that are absent are unknown. */
const sizes: Readonly<Record<number, number>> = {
  ...{ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8 },
};

export const readDirectories = async (bytes: Bytes): Promise<Tiff> => {
  const start = viewOf(await bytes.read(0, 8));
  const littleEndian = start.getUint8(0) === 0x49;
  const big = start.getUint16(2, littleEndian) === 43;
  const head = big ? viewOf(await bytes.read(0, 16)) : start;
  if (big && (head.getUint16(4, littleEndian) !== 8 || head.getUint16(6, littleEndian) !== 0))
    throw unreadable("the file is damaged: a BigTIFF must have offsets of 8 bytes");
  const read = entryReader(bytes, littleEndian, big);
  const directories: Directory[] = [];
  const seen = new Set<number>();
  let next = big ? offsetAt(head, 8, littleEndian) : head.getUint32(4, littleEndian);
  while (next !== 0) {
    if (seen.has(next) || directories.length >= mostDirectories)
      throw unreadable("the file is damaged: its directories of pages point at each other in a circle");
    seen.add(next);
    const found = await read(next);
    directories.push(found.directory);
    next = found.next;
  }
  if (directories.length === 0) throw unreadable("the file is damaged: a TIFF without a page");
  return { littleEndian, directories };
};

interface Entry {
  readonly type: number;
  readonly data: DataView;
  readonly count: number;
}

const entryReader = (bytes: Bytes, littleEndian: boolean, big: boolean) => {
  const [countSize, entrySize, offsetSize] = big ? [8, 20, 8] : [2, 12, 4];
  const wide = (view: DataView, at: number) =>
    big ? offsetAt(view, at, littleEndian) : view.getUint32(at, littleEndian);
  return async (offset: number): Promise<{ directory: Directory; next: number }> => {
    const counted = viewOf(await bytes.read(offset, countSize));
    const count = big ? offsetAt(counted, 0, littleEndian) : counted.getUint16(0, littleEndian);
    if (count === 0 || count > mostEntries)
      throw unreadable(`the file is damaged: a page with ${count} tags at byte ${offset}`);
    const table = viewOf(await bytes.read(offset + countSize, count * entrySize + offsetSize));
    const entries = new Map<number, Entry>();
    for (let i = 0; i < count; i++) {
      const at = i * entrySize;
      const tag = table.getUint16(at, littleEndian);
      const type = table.getUint16(at + 2, littleEndian);
      const values = wide(table, at + 4);
      const length = values * (sizes[type] ?? 0);
      if (length === 0) continue;
      const data =
        length <= offsetSize
          ? new DataView(table.buffer, table.byteOffset + at + 4 + offsetSize, length)
          : viewOf(await bytes.read(wide(table, at + 4 + offsetSize), length));
      if (entries.has(tag)) throw unreadable(`the file is damaged: tag ${tag} stands twice in one page`);
      entries.set(tag, { type, data, count: values });
    }
    return { directory: directoryOf(entries, littleEndian), next: wide(table, count * entrySize) };
  };
};

const directoryOf = (entries: ReadonlyMap<number, Entry>, littleEndian: boolean): Directory => ({
  has: (tag) => entries.has(tag),
  count: (tag) => {
    const entry = entries.get(tag);
    return entry === undefined ? 0 : entry.count;
  },
  numbers: (tag) => {
    const entry = entries.get(tag);
    const read = entry === undefined ? undefined : readers[entry.type];
    if (entry === undefined || read === undefined) return [];
    const size = sizes[entry.type]!;
    return Array.from({ length: entry.count }, (_, i) => read(entry.data, i * size, littleEndian));
  },
  text: (tag) => {
    const entry = entries.get(tag);
    if (entry === undefined || (entry.type !== 2 && entry.type !== 1 && entry.type !== 7)) return "";
    const { buffer, byteOffset, byteLength } = entry.data;
    return new TextDecoder().decode(new Uint8Array(buffer, byteOffset, byteLength)).split("\0")[0]!;
  },
});

const offsetAt = (view: DataView, at: number, littleEndian: boolean): number => {
  const value = Number(view.getBigUint64(at, littleEndian));
  if (Number.isSafeInteger(value)) return value;
  throw unreadable("the file is damaged: an offset beyond the end of the file");
};

const readers: Readonly<Record<number, (view: DataView, at: number, littleEndian: boolean) => number>> = {
  1: (view, at) => view.getUint8(at),
  3: (view, at, littleEndian) => view.getUint16(at, littleEndian),
  4: (view, at, littleEndian) => view.getUint32(at, littleEndian),
  13: (view, at, littleEndian) => view.getUint32(at, littleEndian),
  16: offsetAt,
  18: offsetAt,
};

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
