/** What a plugin consists of: results of another source are results of another run. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";

const relativeImport = /(?:from|import|require)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

/** `./blur.ts sha256:…`: over the file and all that it imports by relative paths. `use`: how the configuration names it. */
export const sourceDigest = async (use: string, file: string): Promise<string> => {
  const hash = createHash("sha256");
  const seen = new Set<string>();
  const add = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = await readSource(path);
    if (text === undefined) return;
    hash.update(text).update("\0");
    for (const [, name] of text.matchAll(relativeImport)) await add(resolve(dirname(path), name!));
  };
  await add(file);
  return `${use} sha256:${hash.digest("hex").slice(0, 32)}`;
};

/** TypeScript's imports may leave the ending out. */
const readSource = async (path: string): Promise<string | undefined> => {
  const candidates = extname(path) === "" ? [".ts", ".js", ".mts", ".mjs"].map((end) => `${path}${end}`) : [path];
  for (const candidate of candidates) {
    const text = await readFile(candidate, "utf8").catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
};
