/** Looks at every file of a dataset before a run does. */
import { availableParallelism } from "node:os";
import { PlatestreamError } from "../common/errors.ts";
import type { Site } from "../screen/experiment.ts";
import { locationsOf } from "../screen/image-source.ts";
import { decodeImage, type ImageHeader, readImageHeader } from "../screen/images.ts";
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
  readonly image?: ImageHeader;
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
 * Checks that every image exists, decodes, and has the size, bands and depth that most have.
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
  let image: ImageHeader | undefined;
  let checked = 0;
  let files = 0;
  for (const { id } of dataset.experiments) {
    const { sites } = await dataset.load(id);
    image ??= await usualHeader(sites);
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

const checkSite = async (site: Site, usual: ImageHeader | undefined, decode: boolean): Promise<FileProblem[]> => {
  const { experiment, plate, well } = site;
  const at = { experiment, plate, well, site: site.site };
  const paths = pathsOf(site);
  const problems: FileProblem[] = [];
  for (const path of paths) {
    const problem = await checkFile(path, site, usual, decode);
    if (problem !== undefined) problems.push({ ...at, path, problem });
  }
  const gone = paths.length > 1 && problems.filter(({ problem }) => problem === missing).length === paths.length;
  return gone ? [{ ...at, problem: `all ${paths.length} files are missing` }] : problems;
};

const missing = "the file is missing";

const checkFile = async (
  path: string,
  site: Site,
  usual: ImageHeader | undefined,
  decode: boolean,
): Promise<string | undefined> => {
  try {
    const header = decode ? await headerByDecoding(path) : await readImageHeader(path);
    const planes = site.images.filter((image) => image.kind === "plane" && image.location === path);
    const band = Math.max(...planes.map((image) => (image.kind === "plane" && image.plane?.band) || 0));
    if (band >= header.bands) return `expected ${band + 1} bands or more, got ${header.bands}`;
    if (usual === undefined || describeImage(header) === describeImage(usual)) return undefined;
    return `expected ${describeImage(usual)} as in the other files, got ${describeImage(header)}`;
  } catch (thrown) {
    const reason = PlatestreamError.from(thrown).rawMessage.replace(`${path}: `, "");
    return reason.includes("missing") ? missing : `cannot be decoded, truncated or damaged (${reason})`;
  }
};

const headerByDecoding = async (path: string): Promise<ImageHeader> => {
  const { width, height, bands, pixels } = await decodeImage(path);
  return { width, height, bands, bits: pixels instanceof Uint8Array ? 8 : 16 };
};

/** What most of the first files are like: one odd file must not make all others look wrong. */
const usualHeader = async (sites: readonly Site[]): Promise<ImageHeader | undefined> => {
  const counts = new Map<string, { readonly header: ImageHeader; count: number }>();
  for (const path of sites.flatMap(pathsOf).slice(0, sampled)) {
    const header = await readImageHeader(path).catch(() => undefined);
    if (header === undefined) continue;
    const entry = counts.get(describeImage(header)) ?? { header, count: 0 };
    entry.count += 1;
    counts.set(describeImage(header), entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.header;
};

const pathsOf = ({ images }: Site): string[] => [...new Set(images.flatMap(locationsOf))];

export const describeImage = ({ width, height, bands, bits }: ImageHeader): string =>
  `${width}x${height} pixels, ${bands === 1 ? "1 band" : `${bands} bands`}, ${bits} bit`;
