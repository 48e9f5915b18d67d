/** What the columns of tables can be, and the names by which they are recognised. */

/** What `--column ROLE=COLUMN` knows. */
export const roles = [
  "experiment",
  "cell-type",
  "plate",
  "well",
  "row",
  "column",
  "site",
  "class",
  "well-type",
  "plane",
  "time",
] as const;
export type Role = (typeof roles)[number];

/**
 * Names of each role in the order in which they are preferred, without case, `Image_`, `Metadata_` and anything between
 * the letters: `metadata well_type` and `Image_Metadata_WellType` are both `welltype`.
 */
export type RoleNames = Readonly<Record<Role, readonly string[]>>;

/** The more specific name of a perturbation comes first: "compound" may be what all rows of `Perturbation` say. */
export const usualNames: RoleNames = {
  experiment: ["experiment", "experimentid", "experimentname", "batch", "batchid"],
  "cell-type": ["celltype", "cellline", "cell"],
  plate: ["plate", "plateid", "platename", "assayplatebarcode", "barcode", "platebarcode"],
  well: ["well", "wellname", "wellposition", "wellid"],
  row: ["wellrow", "row"],
  column: ["wellcolumn", "wellcol", "column", "col"],
  site: ["site", "siteid", "field", "fieldid", "fieldindex", "fov"],
  class: [
    "sirnaid",
    "sirna",
    "treatment",
    "broadsample",
    "broadid",
    "jcp2022",
    "perturbation",
    "pertiname",
    "pertid",
    "compound",
    "compoundname",
    "compoundid",
    "gene",
    "genesymbol",
    "target",
  ],
  "well-type": ["controltype", "welltype", "perttype"],
  plane: ["plane", "planeid", "planeindex", "z", "zplane", "zindex", "zslice", "zposition"],
  time: ["timepoint", "timepointid", "timeindex"],
};

export const plainName = (column: string): string =>
  column
    .toLowerCase()
    .replace(/^image[_ .-]/, "")
    .replace(/^metadata[_ .-]?/, "")
    .replaceAll(/[^a-z0-9]/g, "");
