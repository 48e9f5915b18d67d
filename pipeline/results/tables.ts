/** `calls.csv`, one row per well, and `submission.csv` in the format of the Kaggle competition. */
import { stringify } from "csv-stringify/sync";
import type { WellRow } from "./report.ts";

const callColumns = [
  "experiment",
  "plate",
  "well",
  "well_type",
  "sirna",
  "call",
  "confidence",
  "probability",
  "margin",
  "plate_group",
  "strategy",
  "argmax",
  "once_per_experiment",
  "balanced",
  "plate_groups",
  "sites",
  "alternatives",
  "flags",
  "reason",
];

export const callsHeader = stringify([callColumns]);

/** Lists within a cell are separated by spaces, `reason` by semicolons; what does not apply is empty. */
export const callsRows = (experiment: string, wells: readonly WellRow[]): string =>
  stringify(
    wells.map(({ plate, well, wellType, treatment, call, flags, reasons }) => [
      experiment,
      plate,
      well,
      wellType,
      treatment,
      flags.includes("open") ? "" : call?.treatment,
      number(call?.confidence),
      number(call?.probability),
      number(call?.margin),
      call?.plateGroup,
      call?.strategy,
      call?.byStrategy.argmax,
      call?.byStrategy["once-per-experiment"],
      call?.byStrategy.balanced,
      call?.byStrategy["plate-groups"],
      call?.sites.join(" "),
      call?.alternatives.map(({ treatment: other, probability }) => `${other}:${probability.toFixed(2)}`).join(" "),
      flags.join(" "),
      [...openReason(call, flags), ...reasons].join("; "),
    ]),
  );

const openReason = (call: WellRow["call"], flags: readonly string[]): string[] =>
  call?.confidence !== undefined && flags.includes("open") ? [`not called, ${call.confidence.toFixed(2)}`] : [];

export const submissionHeader = stringify([["id_code", "sirna"]]);

/** Treatment wells that were called; the competition scores no others. */
export const submissionRows = (experiment: string, wells: readonly WellRow[]): string =>
  stringify(
    wells
      .filter(({ wellType, call }) => wellType === "treatment" && call !== undefined)
      .map(({ plate, well, call }) => [`${experiment}_${plate}_${well}`, call!.treatment]),
  );

/** Six digits: all that a float32 holds. */
const number = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : String(Number(value.toPrecision(6)));
