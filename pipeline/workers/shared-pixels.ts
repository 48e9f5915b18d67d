/**
 * Pixels for a worker on the same host, left in a file of shared memory instead of being sent: `ShareMemory` in
 * `platestream.proto`. The file is deleted as soon as both have it open, so that nothing stays behind however they end.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { ownSharedFolder } from "../../common/shared-memory.ts";

/** Where pixels lie; its memory is used again once it is released. */
export interface PlacedPixels {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly turn: number;
  release(): void;
}

export interface SharedPixels {
  readonly name: string;
  /** What the file begins with; nobody else knows it before the worker has read it. */
  readonly beginning: Buffer;
  /** Takes its name away: who has it open keeps it. */
  unlink(): void;
  /** Undefined where there is no room: they go another way. */
  put(pixels: Uint8Array): PlacedPixels | undefined;
  close(): void;
}

/** Of the host's free shared memory. */
const mostShare = 0.25;
const page = 4096;
const turnBytes = 8;
/** A file that still has its name after so long was left by a process that was killed. */
const forgottenMs = 60_000;

interface Slot {
  readonly offset: number;
  readonly size: number;
  free: boolean;
}

/** `mostBytes`: of pixels that the worker has not answered yet. Throws where this host has no shared memory for files. */
export const openSharedPixels = (root?: string, mostBytes = 512 * 2 ** 20): SharedPixels => {
  const folder = ownSharedFolder(root);
  removeForgotten(folder);
  const name = randomBytes(16).toString("hex");
  const path = `${folder}/${name}`;
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  const file = openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600);
  const beginning = randomBytes(16);
  writeSync(file, beginning, 0, beginning.byteLength, 0);
  const { bavail, bsize } = statfsSync(folder);
  const limit = Math.min(mostBytes, bavail * bsize * mostShare);

  let slots: Slot[] = [];
  let end = page;
  let turn = 0;
  let closed = false;

  const closeFile = () => {
    closed = true;
    closeSync(file);
  };
  const slotFor = (bytes: number): Slot | undefined => {
    const found = slots.find(({ free, size }) => free && size >= bytes);
    if (found !== undefined) return found;
    const size = Math.ceil(bytes / page) * page;
    if (end + size > limit && slots.every(({ free }) => free)) {
      ftruncateSync(file, page);
      slots = [];
      end = page;
    }
    if (end + size > limit) return undefined;
    const added = { offset: end, size, free: true };
    slots.push(added);
    end += size;
    return added;
  };

  return {
    name,
    beginning,
    unlink: () => unlinkSync(path),
    put(pixels) {
      if (closed) return undefined;
      const slot = slotFor(turnBytes + pixels.byteLength);
      if (slot === undefined) return undefined;
      turn += 1;
      const head = Buffer.alloc(turnBytes);
      head.writeBigUInt64LE(BigInt(turn));
      try {
        writeAll(file, head, slot.offset);
        writeAll(file, pixels, slot.offset + turnBytes);
      } catch {
        return undefined; // the host's shared memory is full; what was written of it is used again
      }
      slot.free = false;
      const release = () => {
        slot.free = true;
      };
      return { name, offset: slot.offset, bytes: pixels.byteLength, turn, release };
    },
    close() {
      if (!closed) closeFile();
    },
  };
};

const writeAll = (file: number, bytes: Uint8Array, to: number): void => {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at, bytes.byteLength - at, to + at);
};

const removeForgotten = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    try {
      if (statSync(`${folder}/${name}`).mtimeMs < Date.now() - forgottenMs) unlinkSync(`${folder}/${name}`);
    } catch {
      // somebody else has removed it
    }
  }
};
