/** The bytes of one file, wherever it lies. */
import { unreadable } from "../unreadable.ts";

export interface Bytes {
  readonly size: number;
  /** Exactly `length` bytes. @throws PlatestreamError `unreadable-image` where the file ends before */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file that is in memory already. */
export const bytesInMemory = (content: Uint8Array): Bytes => ({
  size: content.length,
  async read(offset, length) {
    requireInside(content.length, offset, length);
    return content.subarray(offset, offset + length);
  },
  async close() {},
});

export const requireInside = (size: number, offset: number, length: number): void => {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw unreadable(
    `the file is truncated or damaged: it has ${size} bytes, and bytes ${offset} to ${offset + length} are needed`,
  );
};
