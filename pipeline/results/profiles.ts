/**
 * `profiles.parquet`: one row per well, as profiling tools read them: `Metadata_*` columns that say what the well is, and
 * one float column per feature of the network, named after its bundle: `demo_0`, `demo_1`, and so on. Controls are there
 * as any other well; a well that could not be called has null features.
 */
import { type BasicType, fileWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import type { ExperimentReport, ReportedExperiment, WellRow } from "./report.ts";

interface Column {
  readonly name: string;
  readonly type: BasicType;
  /** `called`: how many wells before the row have a call. */
  readonly value: (row: WellRow, called: number, experiment: ReportedExperiment) => string | number | undefined;
}

const ownColumns: readonly Column[] = [
  { name: "Metadata_Experiment", type: "STRING", value: (_row, _called, { report }) => report.experiment },
  { name: "Metadata_CellType", type: "STRING", value: (_row, _called, { report }) => report.cellType },
  { name: "Metadata_Plate", type: "STRING", value: ({ plate }) => plate },
  { name: "Metadata_Well", type: "STRING", value: ({ well }) => well },
  { name: "Metadata_WellType", type: "STRING", value: ({ wellType }) => wellType },
  { name: "Metadata_sirna", type: "STRING", value: ({ treatment }) => treatment },
  { name: "Metadata_Call", type: "STRING", value: ({ call }) => call?.treatment },
  { name: "Metadata_Confidence", type: "DOUBLE", value: ({ call }) => call?.confidence },
  { name: "Metadata_Probability", type: "DOUBLE", value: ({ call }) => call?.probability },
  { name: "Metadata_Sites", type: "INT32", value: ({ call }) => call?.sites.length ?? 0 },
  { name: "Metadata_Model", type: "STRING", value: ({ call }) => call?.model.name },
  { name: "Metadata_ModelVersion", type: "STRING", value: ({ call }) => call?.model.version },
  { name: "Metadata_Statistics", type: "STRING", value: ({ call }) => call?.statistics },
];

export interface ProfileWriter {
  /** Adds one row group. */
  write(experiment: ReportedExperiment): void;
  finish(): void;
}

/**
 * Writes a table for experiments with the given reports, one row group each: memory holds one experiment at a time.
 * A column that some experiments lack (a column of their dataset, features of a longer network) is null in them.
 */
export const profileWriter = (path: string, reports: readonly ExperimentReport[], createdBy: string): ProfileWriter => {
  const columns = [...ownColumns, ...datasetColumns(reports), ...featureColumns(reports)];
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: schemaFromColumnData({ columnData: columns.map(({ name, type }) => ({ name, type, data: [] })) }),
    createdBy,
  });
  return {
    write(experiment) {
      const { wells } = experiment;
      if (wells.length === 0) return;
      let called = 0;
      const rows = wells.map((row) => ({ row, before: row.call === undefined ? called : called++ }));
      writer.write({
        columnData: columns.map(({ name, value }) => ({
          name,
          data: rows.map(({ row, before }) => value(row, before, experiment)),
        })),
        rowGroupSize: rows.length,
      });
    },
    finish: () => void writer.finish(),
  };
};

const datasetColumns = (reports: readonly ExperimentReport[]): Column[] => {
  const taken = new Set(ownColumns.map(({ name }) => name));
  const names = [...new Set(reports.flatMap(({ metadata }) => metadata))];
  return names
    .map((name): Column => {
      const holding = reports.filter(({ metadata }) => metadata.includes(name));
      const numeric = holding.every(({ numericMetadata = [] }) => numericMetadata.includes(name));
      if (!numeric) return { name: `Metadata_${name}`, type: "STRING", value: ({ metadata }) => metadata[name] };
      return { name: `Metadata_${name}`, type: "DOUBLE", value: ({ metadata }) => numberIn(metadata[name]) };
    })
    .filter(({ name }) => !taken.has(name));
};

const numberIn = (text = ""): number | undefined => {
  const number = Number.parseFloat(text);
  return Number.isNaN(number) ? undefined : number;
};

const featureColumns = (reports: readonly ExperimentReport[]): Column[] => {
  const lengths = new Map<string, number>();
  for (const report of reports) {
    const prefix = featurePrefix(report);
    lengths.set(prefix, Math.max(lengths.get(prefix) ?? 0, report.featureCount));
  }
  return [...lengths].flatMap(([prefix, length]) =>
    Array.from(
      { length },
      (_, feature): Column => ({
        name: `${prefix}_${feature}`,
        type: "FLOAT",
        value: ({ call }, called, { report, features }) =>
          call !== undefined && prefix === featurePrefix(report) && feature < report.featureCount
            ? features[called * report.featureCount + feature]
            : undefined,
      }),
    ),
  );
};

const featurePrefix = ({ models: [model] }: ExperimentReport): string =>
  (model === undefined ? "feature" : model.name).replace(/[^A-Za-z0-9]+/g, "_");
