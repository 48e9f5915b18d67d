/** Looks at every file of a dataset before a run does. */
import { availableParallelism } from "node:os";
import { PlatestreamError } from "../common/errors.ts";
import type { Site } from "../screen/experiment.ts";
import { locationsOf } from "../screen/image-source.ts";
import { describeFrame, type Frame, frameOf, readSourceHeader, readSources } from "../screen/read-site.ts";
import type { Dataset } from "./dataset.ts";

export interface FileProblem {
  readonly experiment: string;
  readonly plate: string;
  readonly well: string;
  readonly site: number;
  /** Absent where it concerns all files of the site. */
  readonly path?: string;
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
  let image: Frame | undefined;
  let checked = 0;
  let files = 0;
  for (const { id } of dataset.experiments) {
    const { sites } = await dataset.load(id);
    image ??= await usualFrame(sites);
    const found: FileProblem[][] = [];
    const rest = sites.entries();
    const work = async () => {
      for (const [index, site] of rest) {
        if (signal?.aborted) throw new PlatestreamError("cancelled", `stopped after ${checked} of ${all} sites`);
        found[index] = await checkSite(site, image, decode);
        files += pathsOf(site).length;
        checked += 1;
        onProgress?.({ sites: checked, all });
      }
    };
    await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
    problems.push(...found.flat());
  }
  return { sites: all, files, ...(image === undefined ? {} : { image }), problems };
};

const checkSite = async (site: Site, usual: Frame | undefined, decode: boolean): Promise<FileProblem[]> => {
  const { experiment, plate, well } = site;
  const at = { experiment, plate, well, site: site.site };
  const headers = decode
    ? readSources(site.images).map(async (plane) => frameOf(await plane))
    : site.images.map(readSourceHeader);
  const problems = new Map<string, string>();
  for (const [channel, result] of (await Promise.allSettled(headers)).entries()) {
    const path = locationsOf(site.images[channel]!)[0]!;
    const problem = result.status === "fulfilled" ? differs(result.value, usual) : reasonOf(result.reason, path);
    if (problem !== undefined && !problems.has(path)) problems.set(path, problem);
  }
  const files = pathsOf(site).length;
  const gone = files > 1 && problems.size === files && [...problems.values()].every((problem) => problem === missing);
  if (gone) return [{ ...at, problem: `all ${files} files are missing` }];
  return [...problems].map(([path, problem]) => ({ ...at, path, problem }));
};

const missing = "the file is missing";

const differs = (got: Frame, usual: Frame | undefined): string | undefined =>
  usual === undefined || describeFrame(got) === describeFrame(usual)
    ? undefined
    : `expected ${describeFrame(usual)} as in the other files, got ${describeFrame(got)}`;

const reasonOf = (thrown: unknown, path: string): string =>
  PlatestreamError.from(thrown).rawMessage.replace(`${path}: `, "");

/** What most of the first files are like: one odd file must not make all others look wrong. */
const usualFrame = async (sites: readonly Site[]): Promise<Frame | undefined> => {
  const counts = new Map<string, { readonly frame: Frame; count: number }>();
  for (const source of sites.flatMap(({ images }) => images).slice(0, sampled)) {
    const frame = await readSourceHeader(source).catch(() => undefined);
    if (frame === undefined) continue;
    const entry = counts.get(describeFrame(frame)) ?? { frame, count: 0 };
    entry.count += 1;
    counts.set(describeFrame(frame), entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.frame;
};

const pathsOf = ({ images }: Site): string[] => [...new Set(images.flatMap(locationsOf))];
