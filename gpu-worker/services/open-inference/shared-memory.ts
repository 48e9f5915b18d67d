/** Shared memory of a client on this host: files of `/dev/shm`, as `shm_open` makes them. */
import { closeSync, constants, fstatSync, writeSync } from "node:fs";
import { PlatestreamError } from "../../../common/errors.ts";
import { isLoopback } from "../../../common/security/listen-address.ts";
import { openSharedFile, readShared, sharedMemoryFolder } from "../../../common/shared-memory.ts";
import { invalid, type Parameters, parameter, wholeParameter } from "./parameters.ts";

export interface SharedRegion {
  readonly name: string;
  readonly key: string;
  readonly offset: number;
  readonly byte_size: number;
}

/** A part of a region that holds one tensor. */
interface Part {
  readonly region: SharedRegion;
  readonly offset: number;
  readonly bytes: number;
}

export interface SharedMemory {
  all(): readonly SharedRegion[];
  /** `peer`: address of the caller. Throws "permission-denied" for callers of other hosts. */
  register(region: SharedRegion, peer: string): void;
  /** All of them where `name` is empty. */
  unregister(name: string): void;
  /** The part that a tensor's parameters name, if they name one. Throws "invalid-request". */
  regionOf(parameters: Parameters): Part | undefined;
  read(part: Part): Buffer;
  write(part: Part, bytes: Buffer): void;
}

const mostRegions = 256;

export const openSharedMemory = (folder = sharedMemoryFolder): SharedMemory => {
  const regions = new Map<string, SharedRegion>();

  const withFile = <T>({ key, offset, byte_size }: SharedRegion, flags: number, work: (file: number) => T): T => {
    const file = openSharedFile(folder, key.replace(/^\//, ""), flags);
    try {
      const { size } = fstatSync(file);
      if (!fstatSync(file).isFile() || offset + byte_size > size) {
        throw invalid(`shared memory "${key}" has ${size} bytes, the region ends at ${offset + byte_size}`);
      }
      return work(file);
    } finally {
      closeSync(file);
    }
  };

  return {
    all: () => [...regions.values()],
    register(region, peer) {
      const { name, offset, byte_size } = region;
      if (!isLoopback(peer.replace(/:\d+$/, ""))) {
        throw new PlatestreamError("permission-denied", "shared memory is for clients on this host");
      }
      if (name === "" || regions.has(name)) throw invalid(`a region has a name of its own, and "${name}" is none`);
      if (regions.size >= mostRegions) throw invalid(`there are ${mostRegions} regions already; unregister some`);
      if (![offset, byte_size].every(Number.isSafeInteger) || byte_size < 1) {
        throw invalid(`a region has an offset and a size in bytes, not ${offset} and ${byte_size}`);
      }
      withFile(region, constants.O_RDONLY, () => undefined);
      regions.set(name, region);
    },
    unregister(name) {
      if (name === "") regions.clear();
      else regions.delete(name);
    },
    regionOf(parameters) {
      const name = parameter(parameters, "shared_memory_region");
      if (name === undefined) return undefined;
      const region = regions.get(String(name));
      if (region === undefined) throw invalid(`there is no shared memory region "${name}"; register it first`);
      const offset = wholeParameter(parameters, "shared_memory_offset") ?? 0;
      const bytes = wholeParameter(parameters, "shared_memory_byte_size") ?? 0;
      if (bytes < 1 || offset + bytes > region.byte_size) {
        throw invalid(`${bytes} bytes from ${offset} do not lie in region "${name}" of ${region.byte_size} bytes`);
      }
      return { region, offset, bytes };
    },
    read: ({ region, offset, bytes }) =>
      withFile(region, constants.O_RDONLY, (file) => {
        const buffer = Buffer.allocUnsafeSlow(bytes);
        readShared(file, buffer, region.offset + offset, region.key);
        return buffer;
      }),
    write: ({ region, offset }, bytes) =>
      withFile(region, constants.O_RDWR, (file) => {
        for (let at = 0; at < bytes.byteLength; ) {
          at += writeSync(file, bytes, at, bytes.byteLength - at, region.offset + offset + at);
        }
      }),
  };
};
