/** What a run measured, one line of JSON per epoch, and the picture of it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../common/atomic-files.ts";
import { drawCurves } from "./curves.ts";
import type { EpochRecord } from "./epoch-record.ts";

export interface Metrics {
  readonly records: readonly EpochRecord[];
  add(record: EpochRecord): Promise<void>;
}

/** Reads what an interrupted run left in `folder`, forgets what comes after the given place, and goes on from there. */
export const openMetrics = async (folder: string, title: string, stage: number, epoch: number): Promise<Metrics> => {
  const path = join(folder, "metrics.jsonl");
  const text = await readFile(path, "utf8").catch(() => "");
  const before = (record: EpochRecord) => record.stage < stage || (record.stage === stage && record.epoch < epoch);
  const complete = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  const records = complete.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as EpochRecord])).filter(before);
  return {
    records,
    async add(record) {
      records.push(record);
      await replaceFile(path, records.map((each) => `${JSON.stringify(each)}\n`).join(""));
      await replaceFile(join(folder, "curves.svg"), drawCurves(title, records));
    },
  };
};
