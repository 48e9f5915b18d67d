/** Keeps what was fetched on disk, up to a bound. The server is asked each time whether it is still the same. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

export interface DiskCache {
  find(location: string): Promise<Kept | undefined>;
  keep(location: string, etag: string, content: Uint8Array): Promise<void>;
}

export interface Kept {
  readonly etag: string;
  read(): Promise<Uint8Array>;
}

export interface CacheOptions {
  readonly folder: string;
  readonly bytes: number;
}

/** PLATESTREAM_CACHE names the folder, PLATESTREAM_CACHE_MIB its size; 0 switches it off. */
export const openDiskCache = (): DiskCache | undefined => {
  const bytes = Number(process.env.PLATESTREAM_CACHE_MIB ?? 10_240) * 2 ** 20;
  const folder = process.env.PLATESTREAM_CACHE ?? join(homedir(), ".cache", "platestream", "images");
  return bytes > 0 ? diskCache({ folder, bytes }) : undefined;
};

/**
 * A file per location: its ETag and checksum in the first line, then its content. Whoever cannot write simply does not
 * keep: a full disk stops no run.
 */
export const diskCache = ({ folder, bytes }: CacheOptions): DiskCache => ({
  async find(location) {
    const path = pathOf(folder, location);
    const file = await readFile(path).catch(() => undefined);
    const head = file === undefined ? undefined : headOf(file);
    if (file === undefined || head === undefined) return undefined;
    const content = file.subarray(head.end);
    if (sha256(content) !== head.sha256) {
      await rm(path, { force: true });
      return undefined;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return { etag: head.etag, read: async () => content };
  },
  async keep(location, etag, content) {
    if (content.length > bytes / 4) return;
    const path = pathOf(folder, location);
    const head = Buffer.from(`${JSON.stringify({ etag, sha256: sha256(content) })}\n`);
    try {
      await mkdir(folder, { recursive: true });
      const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
      await writeFile(draft, Buffer.concat([head, content]));
      await rename(draft, path);
      await makeRoom(folder, bytes, content.length);
    } catch {
      // not kept
    }
  },
});

/** How much was written to a folder since it was last looked through. */
const written = new Map<string, number>();

/** Looks through the folder once per eighth of its size, and removes what was not used for the longest time. */
const makeRoom = async (folder: string, bytes: number, added: number): Promise<void> => {
  const since = (written.get(folder) ?? bytes) + added;
  written.set(folder, since);
  if (since < bytes / 8) return;
  written.set(folder, 0);
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const found = await stat(join(folder, name)).catch(() => undefined);
      return { path: join(folder, name), size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
    }),
  );
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of files.sort((a, b) => a.used - b.used)) {
    if (total <= (bytes * 7) / 8) break;
    await rm(path, { force: true });
    total -= size;
  }
};

const headOf = (file: Buffer) => {
  const end = file.indexOf(10) + 1;
  try {
    const { etag, sha256 } = JSON.parse(file.subarray(0, end).toString()) as { etag: string; sha256: string };
    return { etag, sha256, end };
  } catch {
    return undefined;
  }
};

const pathOf = (folder: string, location: string): string => join(folder, sha256(Buffer.from(location)));

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
