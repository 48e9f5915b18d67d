/** The finished experiments of a run: one folder each, which is there whole or not at all. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileName, flush, inFolder, nameOfFile, readJson } from "../../common/atomic-files.ts";
import { PlatestreamError } from "../../common/errors.ts";
import type { ExperimentReport, ReportedExperiment, WellRow } from "./report.ts";

const temporary = ".part-";

/** Files of a finished experiment. */
export const pieceFiles = ["report.json", "wells.json", "features.f32"] as const;

interface StoredReport extends ExperimentReport {
  /** Of the other two files. */
  readonly sha256?: Readonly<Record<"wells.json" | "features.f32", string>>;
}

export interface Damage {
  readonly experiment: string;
  /** Which file, and what is wrong with it. */
  readonly reason: string;
}

/**
 * Finds the experiments that are there and whole. What a killed process left half-written is removed, and so are damaged
 * ones, which have to be run again. A folder without any file of ours is left alone.
 */
export const openPieces = async (
  folder: string,
  onDamage: (damage: Damage) => void,
): Promise<Map<string, ExperimentReport>> => {
  await mkdir(folder, { recursive: true });
  const reports = new Map<string, ExperimentReport>();
  for (const name of await readdir(folder))
    if (name.startsWith(temporary)) await rm(join(folder, name), { recursive: true, force: true });
  const damaged: Damage[] = [];
  for await (const { report } of eachPiece(folder, (damage) => damaged.push(damage)))
    reports.set(report.experiment, report);
  for (const damage of damaged) {
    const path = inFolder(folder, damage.experiment);
    await Promise.all(pieceFiles.map((file) => rm(join(path, file), { force: true })));
    onDamage(damage);
  }
  return reports;
};

/** Reads one after the other; what is damaged is named and passed over. */
export async function* eachPiece(
  folder: string,
  onDamage: (damage: Damage) => void,
): AsyncGenerator<ReportedExperiment> {
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith(".") || !(await isPiece(join(folder, name)))) continue;
    const experiment = nameOfFile(name);
    const read = await readPiece(folder, experiment).catch((error: unknown) => {
      onDamage({ experiment, reason: PlatestreamError.from(error).rawMessage });
      return undefined;
    });
    if (read !== undefined) yield read;
  }
}

const isPiece = async (path: string): Promise<boolean> => {
  const names = await readdir(path).catch(() => []);
  return pieceFiles.some((file) => (names as string[]).includes(file));
};

export const writePiece = async (folder: string, { report, wells, features }: ReportedExperiment): Promise<void> => {
  const part = join(folder, temporary + fileName(report.experiment));
  await rm(part, { recursive: true, force: true });
  await mkdir(part);
  const write = (name: (typeof pieceFiles)[number], data: string | Uint8Array) =>
    writeFile(join(part, name), data, { flush: true });
  const table = JSON.stringify(wells);
  const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
  const sha256 = { "wells.json": digest(table), "features.f32": digest(bytes) };
  await write("report.json", `${JSON.stringify({ ...report, sha256 }, null, 2)}\n`);
  await write("wells.json", table);
  await write("features.f32", bytes);
  await flush(part);
  const place = inFolder(folder, report.experiment);
  await rename(part, place).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    // Somebody else's files lie there, and stay. The report comes last: without it there is no piece.
    for (const name of [...pieceFiles].reverse()) await rename(join(part, name), join(place, name));
    await rm(part, { recursive: true });
  });
  await flush(folder);
};

/** In the order of their names, numbers in them counted as numbers. */
export const inOrder = (reports: Iterable<ExperimentReport>): ExperimentReport[] =>
  [...reports].sort((a, b) => a.experiment.localeCompare(b.experiment, "en", { numeric: true }));

/** @throws PlatestreamError `invalid-data` with the file that is missing, damaged or does not belong to the others */
export const readPiece = async (folder: string, experiment: string): Promise<ReportedExperiment> => {
  const piece = inFolder(folder, experiment);
  const file = (name: (typeof pieceFiles)[number]) => join(piece, name);
  const [reportFile, wellsFile, featuresFile] = [file("report.json"), file("wells.json"), file("features.f32")];
  const report = await readJson<StoredReport>(reportFile);
  check(
    report?.experiment === experiment && Number.isInteger(report.featureCount),
    reportFile,
    `is not a report of ${experiment}`,
  );
  const wells = await readJson<WellRow[]>(wellsFile);
  check(Array.isArray(wells) && wells.length === report!.wells, wellsFile, `does not hold ${report!.wells} wells`);
  const called = wells!.filter((row) => row?.call !== undefined).length;
  check(called === report!.called, wellsFile, `does not hold ${report!.called} calls`);
  const bytes = await readFile(featuresFile).catch(() => Buffer.alloc(0));
  const { buffer, byteOffset, byteLength } = bytes;
  const length = called * report!.featureCount * Float32Array.BYTES_PER_ELEMENT;
  check(byteLength === length, featuresFile, `must have ${length} bytes, has ${byteLength}`);
  const { "wells.json": table, "features.f32": numbers } = report!.sha256 ?? {};
  check(table === undefined || table === digest(JSON.stringify(wells)), wellsFile, "is not what was written");
  check(numbers === undefined || numbers === digest(bytes), featuresFile, "is not what was written");
  return {
    report: report!,
    wells: wells!,
    features: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)),
  };
};

const digest = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

const check = (right: boolean, file: string, problem: string): void => {
  if (!right) throw new PlatestreamError("invalid-data", `${file} is damaged: it ${problem}`);
};
