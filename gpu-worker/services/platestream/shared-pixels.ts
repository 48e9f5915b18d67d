/** Pixels that clients of this host leave in shared memory: files that they made, held open for as long as they want. */
import { closeSync, fstatSync } from "node:fs";
import { PlatestreamError } from "../../../common/errors.ts";
import { openOwnSharedFile, ownSharedFolder, readShared } from "../../../common/shared-memory.ts";
import type { SharedPixels__Output } from "../../../proto/types/platestream/v1/SharedPixels.ts";

export interface SharedFile {
  /** The bytes by which the client knows that it is its own. */
  readonly beginning: Buffer;
  close(): void;
}

export interface SharedFiles {
  /** Throws "not-served" where there is no such file, or no more are taken. */
  open(name: string): SharedFile;
  /** Copies pixels out. Throws "unknown-images" where they are not there (any more), "too-large", "invalid-request". */
  read(part: SharedPixels__Output): Buffer;
  /** Memory of what was read, to be read into again: new memory costs as much as the reading. */
  giveBack(memory: ArrayBuffer): void;
}

const mostFiles = 64;
/** Of memory that is kept to be read into. */
const mostSpare = { pieces: 8, bytes: 256 * 2 ** 20 } as const;
const beginningBytes = 16;
const turnBytes = 8;
const aName = /^[0-9a-f]{32}$/;

/** `root`: where shared memory lies; `mostBytes`: of the pixels of one message. */
export const openSharedFiles = (mostBytes: number, root?: string): SharedFiles => {
  const files = new Map<string, number>();
  let spare: readonly ArrayBuffer[] = [];
  /** A little too long is right as well: the rest is not used. */
  const take = (bytes: number): Buffer => {
    const found = spare.find(({ byteLength }) => byteLength >= bytes && byteLength <= bytes * 1.1);
    if (found === undefined) return Buffer.allocUnsafeSlow(bytes);
    spare = spare.filter((each) => each !== found);
    return Buffer.from(found, 0, bytes);
  };
  return {
    open(name) {
      if (!aName.test(name) || files.has(name))
        throw notServed(`"${name}" is not a name of 32 hexadecimal digits of its own`);
      if (files.size >= mostFiles) throw notServed(`${mostFiles} clients share memory with this worker already`);
      let file: number;
      try {
        file = openOwnSharedFile(ownSharedFolder(root), name);
      } catch (thrown) {
        throw notServed(PlatestreamError.from(thrown).rawMessage);
      }
      const beginning = Buffer.alloc(beginningBytes);
      try {
        readShared(file, beginning, 0, name);
      } catch (thrown) {
        closeSync(file);
        throw notServed(PlatestreamError.from(thrown).rawMessage);
      }
      files.set(name, file);
      return {
        beginning,
        close() {
          if (files.get(name) !== file) return;
          files.delete(name);
          closeSync(file);
        },
      };
    },
    read({ name, offset, bytes, turn }) {
      const file = files.get(name);
      if (file === undefined) throw lost(`this worker does not share the memory "${name}" (any more)`);
      if (![offset, bytes, turn].every((each) => Number.isSafeInteger(each) && each >= 0)) {
        throw new PlatestreamError("invalid-request", `offset, bytes and turn of "${name}" are whole numbers`);
      }
      if (bytes > mostBytes) {
        throw new PlatestreamError(
          "too-large",
          `pixels take at most ${mostBytes} bytes here, not ${bytes}: send fewer images`,
        );
      }
      const { size } = fstatSync(file);
      if (offset + turnBytes + bytes > size) {
        throw new PlatestreamError(
          "invalid-request",
          `shared memory "${name}" has ${size} bytes, the pixels end at ${offset + turnBytes + bytes}`,
        );
      }
      const pixels = take(bytes);
      readShared(file, pixels, offset + turnBytes, name);
      const now = Buffer.alloc(turnBytes);
      readShared(file, now, offset, name);
      if (now.readBigUInt64LE() !== BigInt(turn)) throw lost(`the pixels in "${name}" at ${offset} are others by now`);
      return pixels;
    },
    giveBack(memory) {
      const all = [memory, ...spare].slice(0, mostSpare.pieces);
      let sum = 0;
      spare = all.filter(({ byteLength }) => {
        sum += byteLength;
        return sum <= mostSpare.bytes;
      });
    },
  };
};

const notServed = (why: string) => new PlatestreamError("not-served", `${why}; send pixels with the request`);

const lost = (why: string) => new PlatestreamError("unknown-images", `${why}; send the request again with its pixels`);
