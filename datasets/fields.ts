/** What the fields of tables hold: wells, numbers of sites, classes and kinds of wells, however they are spelt. */
import type { WellType } from "../screen/experiment.ts";

/** Largest plates: 1536 wells have rows A to AF and columns 1 to 48. */
const rowsOfPlate = 32;
const columnsOfPlate = 48;

const lettersAndColumn = /^([A-Z]|A[A-F])[-_: ]?0*([1-9]\d?)$/;
const rowAndColumn = /^R(?:OW)?[-_ ]?0*([1-9]\d?)[-_ ]?C(?:OL(?:UMN)?)?[-_ ]?0*([1-9]\d?)$/;

/** `B3`, `b03`, `B-03` and `r02c03` are all "B03"; undefined where it is not a well of a plate. */
export const parseWell = (text: string): string | undefined => {
  const name = text.toUpperCase();
  const byNumbers = rowAndColumn.exec(name);
  if (byNumbers !== null) return wellAt(Number(byNumbers[1]), Number(byNumbers[2]));
  const [, letters, column] = lettersAndColumn.exec(name) ?? [];
  return letters === undefined ? undefined : wellAt(rowOfLetters(letters), Number(column));
};

/** Row and column count from 1. */
export const wellAt = (row: number, column: number): string | undefined => {
  const inside = Number.isInteger(row) && Number.isInteger(column) && row >= 1 && column >= 1;
  if (!inside || row > rowsOfPlate || column > columnsOfPlate) return undefined;
  const letters = row <= 26 ? String.fromCharCode(64 + row) : `A${String.fromCharCode(38 + row)}`;
  return `${letters}${String(column).padStart(2, "0")}`;
};

/** Number of a row that is given by its letters or by its number. */
export const parseRow = (text: string): number | undefined => {
  if (/^(?:[A-Z]|A[A-F])$/i.test(text)) return rowOfLetters(text.toUpperCase());
  return parseWhole(text);
};

const rowOfLetters = (letters: string): number =>
  letters.length === 1 ? letters.charCodeAt(0) - 64 : 26 + letters.charCodeAt(1) - 64;

/** Whole numbers from 0, also as pandas writes them where a column has gaps: `513.0`. */
export const parseWhole = (text: string): number | undefined => {
  if (!/^\d+(?:\.0*)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
};

const siteText = /^(?:s|site|f|fld|field|fov|pos|position|xy)[-_. ]?(\d+)$/i;

/** `3`, `3.0`, `s3`, `Site_03` and `fld 3` are all site 3. */
export const parseSite = (text: string): number | undefined => parseWhole(siteText.exec(text)?.[1] ?? text);

/** What tables write where there is nothing. */
const absent = new Set(["", "nan", "na", "n/a", "#n/a", "<na>", "none", "null", "nil", "-"]);

export const isAbsent = (text: string): boolean => absent.has(text.toLowerCase());

/** A name or number, `513.0` being 513; undefined where there is none. */
export const parseName = (text: string): string | undefined =>
  isAbsent(text) ? undefined : text.replace(/^(\d+)\.0*$/, "$1");

/** What the kinds of wells are called, in RxRx, Cell Painting and LINCS tables and by people. */
const wellTypes: Readonly<Record<string, WellType>> = {
  treatment: "treatment",
  treated: "treatment",
  trt: "treatment",
  sample: "treatment",
  positive_control: "positive_control",
  positive: "positive_control",
  poscon: "positive_control",
  negative_control: "negative_control",
  negative: "negative_control",
  negcon: "negative_control",
  ctl: "negative_control",
  empty: "negative_control",
  untreated: "negative_control",
  dmso: "negative_control",
  vehicle: "negative_control",
  mock: "negative_control",
  blank: "negative_control",
};
const knownWellTypes = new Map(Object.entries(wellTypes));

export const namesOfWellTypes = Object.keys(wellTypes).join(", ");

/** Cell Painting distinguishes kinds of positive controls (`poscon_cp`), LINCS kinds of everything (`trt_cp`, `ctl_vehicle`). */
export const parseWellType = (text: string): WellType | undefined => {
  const name = text.toLowerCase().replaceAll(/[ -]/g, "_");
  return knownWellTypes.get(name) ?? knownWellTypes.get(/^(?:poscon|negcon|trt|ctl)(?=_)/.exec(name)?.[0] ?? "");
};

/** `HUVEC-01` is an experiment on HUVEC cells. */
export const cellTypeOfName = (experiment: string): string => experiment.replace(/-\d+$/, "");
