import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const findRoot = (folder: string): string =>
  existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));

const root = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Absolute path of a file that ships with the package (`proto/…`, `recipes/…`), from the sources as from `dist`. */
export const packageFile = (path: string): string => join(root, path);
