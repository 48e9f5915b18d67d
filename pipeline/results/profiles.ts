/**
 * `profiles.parquet`: one row per called well, as profiling tools read them: `Metadata_*` columns that say what the
 * well is, and one float column per feature of the network, named after its bundle: `demo_0`, `demo_1`, and so on.
 */
import { type BasicType, fileWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import type { ExperimentReport, ReportedExperiment, WellRow } from "./report.ts";

interface Column {
  readonly name: string;
  readonly type: BasicType;
  /** `index` is that of the row among the called wells. */
  readonly value: (row: WellRow, index: number, experiment: ReportedExperiment) => string | number | undefined;
}

const ownColumns: readonly Column[] = [
  { name: "Metadata_Experiment", type: "STRING", value: (_row, _index, { report }) => report.experiment },
  { name: "Metadata_CellType", type: "STRING", value: (_row, _index, { report }) => report.cellType },
  { name: "Metadata_Plate", type: "STRING", value: ({ plate }) => plate },
  { name: "Metadata_Well", type: "STRING", value: ({ well }) => well },
  { name: "Metadata_WellType", type: "STRING", value: ({ wellType }) => wellType },
  { name: "Metadata_sirna", type: "STRING", value: ({ sirna }) => sirna },
  { name: "Metadata_Call", type: "STRING", value: ({ call }) => call?.sirna },
  { name: "Metadata_Probability", type: "DOUBLE", value: ({ call }) => call?.probability },
  { name: "Metadata_Sites", type: "INT32", value: ({ call }) => call?.sites.length },
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
      const rows = experiment.wells.filter(({ call }) => call !== undefined);
      if (rows.length === 0) return;
      writer.write({
        columnData: columns.map(({ name, value }) => ({
          name,
          data: rows.map((row, index) => value(row, index, experiment)),
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
    .map((name): Column => ({ name: `Metadata_${name}`, type: "STRING", value: ({ metadata }) => metadata[name] }))
    .filter(({ name }) => !taken.has(name));
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
        value: (_row, index, { report, features }) =>
          prefix === featurePrefix(report) && feature < report.featureCount
            ? features[index * report.featureCount + feature]
            : undefined,
      }),
    ),
  );
};

const featurePrefix = ({ models: [model] }: ExperimentReport): string =>
  (model === undefined ? "feature" : model.name).replace(/[^A-Za-z0-9]+/g, "_");
