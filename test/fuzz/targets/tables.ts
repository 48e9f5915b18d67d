/** Tables of datasets in every layout, and the expressions that choose rows. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Target, text } from "../target.ts";

const cellProfiler = `Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_pert_type,Metadata_broad_sample,FileName_DNA,PathName_DNA
P1,A01,1,trt,X1,a.tif,img
P1,A02,1,negcon,DMSO,b.tif,img
`;

const rxrx1 = `site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id
HUVEC-01_1_B02_1,HUVEC-01_1_B02,HUVEC,train,HUVEC-01,1,B02,1,treatment,s0,0
HUVEC-01_1_B03_1,HUVEC-01_1_B03,HUVEC,train,HUVEC-01,1,B03,1,negative_control,EMPTY,1138
`;

const words = [
  "Metadata_",
  "Plate",
  "Well",
  "Site",
  "FileName_",
  "PathName_",
  "URL_",
  "Frame_",
  "DNA",
  "A01",
  "treatment",
  '"',
  ";",
  "\t",
];

const layout = (
  name: "table" | "rxrx1",
  file: string,
  seeds: readonly (string | Uint8Array)[],
  parsers: readonly string[],
): Target => ({
  name: `${name} dataset`,
  parsers,
  seeds,
  words,
  async open(folder) {
    const { openDataset } = await import("../../../datasets/open.ts");
    return async (input) => {
      await writeFile(join(folder, file), input);
      const within = input.length % 8 === 0 ? { within: [input.length % 16 === 0 ? folder : "/nowhere"] } : {};
      const encoding = input.length % 11 === 0 ? { encoding: input.length % 22 === 0 ? "latin1" : "none" } : {};
      const dataset = await openDataset(folder, { layout: name, ...within, ...encoding });
      for (const { id } of dataset.experiments.slice(0, 2)) await dataset.load(id);
    };
  },
});

export const tables: readonly Target[] = [
  layout(
    "table",
    "load_data.csv",
    [
      cellProfiler,
      cellProfiler.replaceAll(",", ";"),
      cellProfiler.replaceAll(",", "\t"),
      cellProfiler
        .replaceAll("FileName", "URL")
        .replaceAll("a.tif", "file:///d/a.tif")
        .replaceAll("b.tif", "s3://k/b.tif"),
      cellProfiler.replace("PathName_DNA", "PathName_DNA,Frame_DNA,Metadata_PlaneID").replaceAll("img\n", "img,0,1\n"),
      Buffer.from(`\ufeff${cellProfiler}`, "utf16le"),
      Buffer.from(cellProfiler.replaceAll("X1", "X\xb5"), "latin1"),
      cellProfiler.replaceAll("img", "img\\sub"),
      cellProfiler.replaceAll("img", "C:\\img"),
      cellProfiler.replaceAll("img", "s3://bucket/img"),
      cellProfiler.replaceAll("a.tif", "gopher://a.tif").replaceAll("b.tif", ""),
      cellProfiler.replaceAll("A01", "1-1").replaceAll("A02", "AA49"),
      cellProfiler.replace("A01", "row 3").replaceAll("X1", "7.0"),
      cellProfiler.replaceAll("X1", "NA").replaceAll("\n", "\n\n"),
      `sep=;\n${cellProfiler.replaceAll(",", ";")}`,
      cellProfiler.replaceAll(",", " "),
      cellProfiler.replace("X1", '"X\n1"').replaceAll("\n", "\r\n"),
      cellProfiler.replace("A02", '"A02'),
      `\ufeff${cellProfiler}`,
      Buffer.from(cellProfiler, "utf16le"),
      Buffer.from(`\ufeff${cellProfiler}`, "utf16le").swap16(),
      Buffer.from(cellProfiler, "utf16le").swap16(),
      ",,\n",
    ],
    ["datasets/csv-table.ts", "datasets/text-file.ts", "datasets/fields.ts", "datasets/locations.ts"],
  ),
  layout("rxrx1", "metadata.csv", [rxrx1, rxrx1.replace("sirna,", "treatment,")], []),
  {
    name: "where",
    parsers: ["datasets/where.ts"],
    seeds: [
      'Metadata_Site != "x" and Plate in ["P1", "P2"]',
      'not (site == 1) || well =~ "A0."',
      'column("my name") >= 2 && site < 10',
      "site > 1 or site <= 0",
    ],
    words: [
      "and",
      "or",
      "not",
      "in",
      "=~",
      "==",
      "!=",
      "&&",
      "||",
      "!",
      "<",
      ">=",
      "column(",
      '"',
      "[",
      "]",
      "(",
      ")",
      "site",
    ],
    async open() {
      const { compileWhere } = await import("../../../datasets/where.ts");
      const table = {
        ...{ path: "t.csv", columns: ["Metadata_Site", "Plate", "well", "my name"], rows: 2 },
        place: (row: number) => `t.csv:${row + 2}`,
        get: (row: number, column: string) => (column === "well" ? `A0${row}` : String(row)),
        distinct: () => undefined,
      };
      return (input) => compileWhere(text(input), table)(1);
    },
  },
];
