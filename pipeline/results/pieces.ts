/** The finished experiments of a run: one folder each, which is there whole or not at all. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileName, inFolder, nameOfFile, readJson } from "../../common/atomic-files.ts";
import type { ExperimentReport, ReportedExperiment, WellRow } from "./report.ts";

const temporary = ".part-";

/** Ids of the experiments that are there. What a killed process left half-written is removed. */
export const openPieces = async (folder: string): Promise<Set<string>> => {
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  for (const name of names.filter((each) => each.startsWith(temporary))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
  return new Set(names.filter((each) => !each.startsWith(".")).map(nameOfFile));
};

export const writePiece = async (folder: string, { report, wells, features }: ReportedExperiment): Promise<void> => {
  const part = join(folder, temporary + fileName(report.experiment));
  await rm(part, { recursive: true, force: true });
  await mkdir(part);
  const write = (name: string, data: string | Uint8Array) => writeFile(join(part, name), data, { flush: true });
  await write("report.json", `${JSON.stringify(report, null, 2)}\n`);
  await write("wells.json", JSON.stringify(wells));
  await write("features.f32", new Uint8Array(features.buffer, features.byteOffset, features.byteLength));
  await rename(part, inFolder(folder, report.experiment));
};

/** Reads the reports in the order of their names, numbers in them counted as numbers. */
export const readReports = async (folder: string, experiments: Iterable<string>): Promise<ExperimentReport[]> => {
  const names = [...experiments].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return Promise.all(
    names.map(async (name) => (await readJson<ExperimentReport>(join(inFolder(folder, name), "report.json")))!),
  );
};

export const readPiece = async (folder: string, report: ExperimentReport): Promise<ReportedExperiment> => {
  const piece = inFolder(folder, report.experiment);
  const wells = (await readJson<WellRow[]>(join(piece, "wells.json")))!;
  const { buffer, byteOffset, byteLength } = await readFile(join(piece, "features.f32"));
  return { report, wells, features: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)) };
};
