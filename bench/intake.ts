import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { PlatestreamError } from "../common/errors.ts";
import { packageFile } from "../common/package-file.ts";
import { openDataset } from "../datasets/open.ts";
import { type ImageSource, imageAt, locationsOf, type PlaneAddress } from "../screen/image-source.ts";
import { writeGreyImage } from "../screen/images.ts";
import { isUrl } from "../screen/prefix-map.ts";
import { readSources } from "../screen/read-site.ts";
import type { Bench, Figure } from "./figure.ts";

/** SHA-1 of every sample's plane as 64-bit floats, page by page; nothing where the other program cannot read the file. */
interface Reference {
  readonly pages?: readonly (readonly string[])[];
}

type Outcome = "read" | "refused" | "silent-wrong" | "unclear" | "hang" | "unchecked";

const patienceMs = 30_000;

/**
 * Reads every image file and every dataset below the folder in PLATESTREAM_CASES, and compares what is read with what
 * tifffile and pypng read (Python in PLATESTREAM_PYTHON). Without a folder: images made here.
 */
export const intake: Bench = {
  name: "intake",
  description: "unusual images and tables are read right or refused in words; aim: silent-wrong 0, hang 0",
  async run(report, log) {
    const given = process.env.PLATESTREAM_CASES;
    const folder = given ?? (await mkdtemp(join(tmpdir(), "platestream-intake-")));
    try {
      const references = given === undefined ? await writeOwn(folder) : await askPython(folder, log);
      const counts = new Map<Outcome, number>();
      let all = 0;
      const count = (outcome: Outcome, what: string, words = "") => {
        all += 1;
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        if (outcome !== "read" && outcome !== "refused") log(`${outcome}: ${what} ${words}`);
        else if (process.env.PLATESTREAM_VERBOSE !== undefined) log(`${outcome}: ${what} ${words}`);
      };
      for (const [path, reference] of Object.entries(references)) {
        const { outcome, words } = await inTime(tryFile(join(folder, path), reference));
        count(outcome, path, words);
      }
      for (const path of await datasetsIn(folder)) {
        const { outcome, words } = await inTime(tryDataset(path, folder, references));
        count(outcome, relative(folder, path), words);
      }
      for (const outcome of ["silent-wrong", "hang", "unclear", "unchecked", "read", "refused"] as const)
        report(figureOf(outcome, counts.get(outcome) ?? 0, all));
    } finally {
      if (given === undefined) await rm(folder, { recursive: true });
    }
  },
};

const figureOf = (outcome: Outcome, value: number, all: number): Figure => ({
  figure: `intake.${outcome}`,
  value,
  unit: "inputs",
  reference: all,
  ratio: value / all,
});

interface Tried {
  readonly outcome: Outcome;
  readonly words?: string;
}

const inTime = async (work: Promise<Tried>): Promise<Tried> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Tried>((resolve) => {
    timer = setTimeout(() => resolve({ outcome: "hang" }), patienceMs);
  });
  const tried = await Promise.race([work.catch(refusal), late]);
  clearTimeout(timer);
  return tried;
};

/** A refusal names a cause that is in the input; anything else is our own mistake. */
const refusal = (thrown: unknown): Tried => {
  const { code, rawMessage } = PlatestreamError.from(thrown);
  return { outcome: code === "internal" ? "unclear" : "refused", words: rawMessage };
};

const hashOf = async (source: ImageSource): Promise<string> => {
  const { pixels } = await readSources([source])[0]!;
  return createHash("sha1")
    .update(Buffer.from(Float64Array.from(pixels).buffer))
    .digest("hex");
};

/** Damaged on purpose: the fuzzers' files, and those whose names begin with x in suites of PNG. */
const isDamaged = (path: string): boolean => path.split(sep).includes("fuzz") || /^x.*\.png$/.test(basename(path));

const tryFile = async (path: string, { pages }: Reference): Promise<Tried> => {
  if (isDamaged(path)) {
    const hash = await hashOf(imageAt(path));
    return { outcome: "silent-wrong", words: `a damaged file is read: ${hash}` };
  }
  let refused: Tried | undefined;
  for (const [frame, samples] of (pages ?? [[""]]).entries()) {
    for (const [band, expected] of samples.entries()) {
      const address: PlaneAddress = {
        ...((pages?.length ?? 1) > 1 ? { frame } : {}),
        ...(samples.length > 1 ? { band } : {}),
      };
      const got = await hashOf(imageAt(path, address)).catch((thrown) => {
        refused = refusal(thrown);
        return undefined;
      });
      if (got === undefined) continue;
      if (expected === "") return { outcome: "unchecked", words: "no other program reads it" };
      if (got !== expected) return { outcome: "silent-wrong", words: JSON.stringify(address) };
    }
  }
  return refused ?? { outcome: "read" };
};

/** Every image of every site, against the reference of its file. */
const tryDataset = async (path: string, folder: string, references: Readonly<Record<string, Reference>>) => {
  const dataset = await openDataset(path);
  let words: string | undefined;
  for (const { id } of dataset.experiments) {
    const { sites } = await dataset.load(id);
    for (const source of sites.flatMap(({ images }) => images)) {
      if (words !== undefined && isUrl(locationsOf(source)[0]!)) continue; // a store that cannot be reached once
      const got = await hashOf(source).catch((thrown) => {
        words ??= `a site is left out: ${PlatestreamError.from(thrown).rawMessage}`;
        return undefined;
      });
      const file = relative(folder, locationsOf(source)[0]!);
      const expected = referenceOf(references[file], source);
      if (got !== undefined && expected !== undefined && got !== expected)
        return { outcome: "silent-wrong" as const, words: `${file} of ${path}` };
    }
  }
  return { outcome: words === undefined ? ("read" as const) : ("refused" as const), ...(words && { words }) };
};

const referenceOf = (reference: Reference | undefined, source: ImageSource): string | undefined => {
  if (source.kind !== "plane" || reference?.pages === undefined) return undefined;
  return reference.pages[source.plane?.frame ?? 0]?.[source.plane?.band ?? 0];
};

const datasetsIn = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder, { withFileTypes: true });
  const folders = names.filter((entry) => entry.isDirectory() && /^\d/.test(entry.name));
  return folders.map(({ name }) => join(folder, name)).sort();
};

const askPython = async (folder: string, log: (line: string) => void): Promise<Readonly<Record<string, Reference>>> => {
  const python = process.env.PLATESTREAM_PYTHON ?? "python3";
  log(`${python} reads the same files with tifffile and pypng`);
  const script = packageFile("bench/intake_reference.py");
  const { stdout } = await promisify(execFile)(python, [script, folder], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout) as Readonly<Record<string, Reference>>;
};

/** Ramps of 8 and 16 bit, and one that was cut. */
const writeOwn = async (folder: string): Promise<Readonly<Record<string, Reference>>> => {
  const references: Record<string, Reference> = {};
  for (const type of ["png", "tiff"]) {
    for (const Pixels of [Uint8Array, Uint16Array]) {
      const pixels = new Pixels(64 * 48).map((_: number, i: number) => 7 * i);
      const name = `${8 * Pixels.BYTES_PER_ELEMENT}.${type}`;
      await writeGreyImage(join(folder, name), pixels, 64, 48);
      const hash = createHash("sha1")
        .update(Buffer.from(Float64Array.from(pixels).buffer))
        .digest("hex");
      references[name] = { pages: [[hash]] };
    }
  }
  const cut = join(folder, "x-cut.png");
  await writeGreyImage(cut, new Uint8Array(64 * 48), 64, 48);
  await truncate(cut, 60);
  references["x-cut.png"] = {};
  return references;
};
