/** A loader: counts the branches of the parsers that are fuzzed. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createInstrumenter } from "istanbul-lib-instrument";

interface Loaded {
  readonly format: string;
  readonly source?: unknown;
}

let wanted: readonly string[] = [];

/** `urls`: of the compiled files to count in. */
export const initialize = ({ urls }: { readonly urls: readonly string[] }): void => {
  wanted = urls;
};

export const load = async (
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> => {
  if (!wanted.includes(url)) return next(url, context);
  const path = fileURLToPath(url);
  const instrumenter = createInstrumenter({ esModules: true, compact: false, coverageVariable: "__coverage__" });
  const source = instrumenter.instrumentSync(await readFile(path, "utf8"), path);
  return { format: "module", source, shortCircuit: true } as Loaded;
};
