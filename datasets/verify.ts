/** Looks at every file of a dataset before a run does. */
import { availableParallelism } from "node:os";
import { basename, dirname, isAbsolute } from "node:path";
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../common/errors.ts";
import type { Site } from "../screen/experiment.ts";
import { type ImageSource, locationsOf } from "../screen/image-source.ts";
import { describeFrame, type Frame, frameOf, readSourceHeader, readSources } from "../screen/read-site.ts";
import type { Dataset } from "./dataset.ts";
import { namesInIfAny } from "./folders.ts";

export interface FileProblem {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly site: number;
  /** The file; where all files of a site are missing, the first of them. */
  readonly path: string;
  readonly problem: string;
}

export interface Verification {
  readonly sites: number;
  readonly files: number;
  /** What the files of the dataset are like; absent where not one could be read. */
  readonly image?: Frame;
  readonly problems: readonly FileProblem[];
}

export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly sites: number; readonly all: number }) => void;
  /** False reads the headers only: many times as fast, and blind to truncated files. */
  readonly decode?: boolean;
}

/** So many files say what the others must be like. */
const sampled = 60;

/**
 * Checks that every image exists, decodes, and has the size and depth that most have.
 *
 * Problems are returned, not thrown; order as in the dataset.
 *
 * @throws PlatestreamError `cancelled`
 */
export const verifyDataset = async (
  dataset: Dataset,
  { signal, onProgress, decode = true }: VerifyOptions = {},
): Promise<Verification> => {
  const all = dataset.experiments.reduce((sum, { sites }) => sum + sites, 0);
  const problems: FileProblem[] = [];
  const isThere = fileFinder();
  let image: Frame | undefined;
  let checked = 0;
  let files = 0;
  for (const { id } of dataset.experiments) {
    image ??= await usualFrame(dataset.sites(id));
    const found = new Map<number, FileProblem[]>();
    const rest = numbered(dataset.sites(id));
    const work = async () => {
      for (const [index, site] of rest) {
        if (signal?.aborted) throw new PlatestreamError("cancelled", `stopped after ${checked} of ${all} sites`);
        const wrong = await checkSite(site, { usual: image, decode, isThere });
        if (wrong.length > 0) found.set(index, wrong);
        files += pathsOf(site).length;
        checked += 1;
        onProgress?.({ sites: checked, all });
      }
    };
    await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
    for (const [, wrong] of [...found].sort(([a], [b]) => a - b)) problems.push(...wrong);
  }
  return { sites: all, files, ...(image === undefined ? {} : { image }), problems };
};

function* numbered<T>(items: Iterable<T>): Generator<readonly [number, T]> {
  let index = 0;
  for (const item of items) yield [index++, item];
}

/** Asks the system once per folder rather than once per file. What is in a store is found out by reading it. */
const fileFinder = (): ((path: string) => Promise<boolean>) => {
  const folders = new LRUCache<string, Promise<ReadonlySet<string>>>({ max: 16 });
  return async (path) => {
    if (!isAbsolute(path)) return true;
    const folder = dirname(path);
    const names = folders.get(folder) ?? namesInIfAny(folder).then((found) => new Set(found));
    folders.set(folder, names);
    return (await names).has(basename(path));
  };
};

interface Check {
  readonly usual: Frame | undefined;
  readonly decode: boolean;
  readonly isThere: (path: string) => Promise<boolean>;
}

const checkSite = async (site: Site, { usual, decode, isThere }: Check): Promise<FileProblem[]> => {
  const { experiment, plate, well } = site;
  const at = { experiment, plate, well, site: site.site };
  const files = pathsOf(site);
  const problems = new Map<string, string>();
  for (const path of files) if (!(await isThere(path))) problems.set(path, missing);
  if (files.length > 1 && problems.size === files.length) {
    return [{ ...at, path: files[0]!, problem: `all ${files.length} files of the site are missing` }];
  }
  const images = site.images.filter((image) => !locationsOf(image).some((path) => problems.has(path)));
  const frames = decode
    ? readSources(images).map(async (plane) => frameOf(await plane))
    : images.map((image) => readSourceHeader(image));
  for (const [channel, result] of (await Promise.allSettled(frames)).entries()) {
    const path = locationsOf(images[channel]!)[0]!;
    const problem = result.status === "fulfilled" ? differs(result.value, usual) : reasonOf(result.reason, path);
    if (problem !== undefined && !problems.has(path)) problems.set(path, problem);
  }
  return files.flatMap((path) => (problems.has(path) ? { ...at, path, problem: problems.get(path)! } : []));
};

const missing = "the file is missing";

const differs = (got: Frame, usual: Frame | undefined): string | undefined =>
  usual === undefined || describeFrame(got) === describeFrame(usual)
    ? undefined
    : `expected ${describeFrame(usual)} as in the other files, got ${describeFrame(got)}`;

const reasonOf = (thrown: unknown, path: string): string =>
  PlatestreamError.from(thrown).rawMessage.replace(`${path}: `, "");

/** What most of the first files are like: one odd file must not make all others look wrong. */
const usualFrame = async (sites: Iterable<Site>): Promise<Frame | undefined> => {
  const counts = new Map<string, { readonly frame: Frame; count: number }>();
  const first: ImageSource[] = [];
  for (const { images } of sites) if (first.push(...images) >= sampled) break;
  for (const source of first.slice(0, sampled)) {
    const frame = await readSourceHeader(source).catch(() => undefined);
    if (frame === undefined) continue;
    const entry = counts.get(describeFrame(frame)) ?? { frame, count: 0 };
    entry.count += 1;
    counts.set(describeFrame(frame), entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.frame;
};

const pathsOf = ({ images }: Site): string[] => [...new Set(images.flatMap(locationsOf))];
