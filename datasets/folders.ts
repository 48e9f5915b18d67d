/** Looks into folders, and never round in circles. */
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import { reasonOf } from "../common/read-file.ts";

const { compare } = new Intl.Collator("en", { numeric: true });

/** Names in a folder, in order. Throws `invalid-data` where it cannot be read. */
export const namesIn = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder).catch((cause) => {
    throw new PlatestreamError("invalid-data", `the folder ${folder} cannot be read: ${reasonOf(cause)}`, { cause });
  });
  return names.sort(compare);
};

/** Names in a folder; none where there is no such folder. */
export const namesInIfAny = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch((): string[] => [])).sort(compare);

export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

export interface Folder {
  readonly path: string;
  readonly names: readonly string[];
}

/**
 * A folder and those inside it, `depth` levels down, each once however many links lead to it. Folders that cannot be read
 * are passed over.
 */
export async function* foldersUnder(root: string, depth: number): AsyncGenerator<Folder> {
  const seen = new Set<string>();
  async function* walk(path: string, levels: number): AsyncGenerator<Folder> {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || seen.has(real)) return;
    seen.add(real);
    const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
    entries.sort((a, b) => compare(a.name, b.name));
    yield { path, names: entries.map(({ name }) => name) };
    if (levels === 0) return;
    for (const entry of entries) {
      const inside = join(path, entry.name);
      const isFolder =
        entry.isDirectory() || (entry.isSymbolicLink() && (await stat(inside).catch(() => undefined))?.isDirectory());
      if (isFolder) yield* walk(inside, levels - 1);
    }
  }
  yield* walk(root, depth);
}
