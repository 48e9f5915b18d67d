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
  "probability",
  "margin",
  "plate_group",
  "strategy",
  "argmax",
  "once_per_experiment",
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
      call?.treatment,
      number(call?.probability),
      number(call?.margin),
      call?.plateGroup,
      call?.strategy,
      call?.byStrategy.argmax,
      call?.byStrategy["once-per-experiment"],
      call?.byStrategy["plate-groups"],
      call?.sites.join(" "),
      call?.alternatives.map(({ treatment: other, probability }) => `${other}:${probability.toFixed(2)}`).join(" "),
      flags.join(" "),
      reasons.join("; "),
    ]),
  );

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
