/** What `pipeline model info` and `pipeline model export` do. */
import { writeFile } from "node:fs/promises";
import type { Replicates } from "../../common/assignment/replicates.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { decodeStatistics, statisticsCount } from "../../common/norm-statistics.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { type Bundle, readBundle } from "../../gpu-worker/bundle/bundle.ts";
import {
  type Architecture,
  featureCount,
  normLayers,
  parameters,
  type Weights,
} from "../../gpu-worker/network/architecture.ts";
import { emitNetwork, type GraphMode } from "../../gpu-worker/runtime/onnx/network-graph.ts";
import { exportRepository } from "./export-repository.ts";

export interface ExportOptions {
  readonly onnx?: string;
  readonly repository?: string;
  readonly cellType?: string;
  readonly statistics: string;
  readonly pixels: "uint8" | "uint16" | "float32";
}

export const showBundle = async (dir: string, json: boolean): Promise<void> => {
  const { manifest, version } = await readBundle(dir);
  const weights = weightCount(manifest.architecture);
  if (json) return void process.stdout.write(`${JSON.stringify({ version, parameters: weights, ...manifest })}\n`);

  const {
    name,
    variant,
    architecture,
    classes,
    controls,
    plateGroups,
    replicates,
    channelNames,
    input,
    cellTypes,
    created,
  } = manifest;
  const { channels, height, width, plates } = architecture;
  const rows: [string, string][] = [
    ["version", version],
    ["network", `${variant}, ${weights.toLocaleString("en")} parameters, ${featureCount(architecture)} features`],
    ["images", `${channels} channels of ${height}x${width} pixels, times ${input.scale}, plus ${input.offset}`],
    ["channels", channelNames.length === 0 ? "not named" : channelNames.join(", ")],
    ["classes", `${classes.length}, ${controls.length} of them controls`],
    ["plate groups", plateGroups.length === 0 ? "none" : plateGroups.map(({ length }) => length).join(" + ")],
    ["replicates", describeReplicates(replicates)],
    ...(plates > 0 ? [["plate input", `${plates} positions`] as [string, string]] : []),
    ["created", created],
    ...Object.entries(cellTypes).map(([cellType, { trained, metrics = {} }]): [string, string] => [
      cellType,
      [
        trained ? "trained" : "UNTRAINED",
        ...Object.entries(metrics).map(([key, value]) => `${key} ${shown(value)}`),
      ].join(", "),
    ]),
  ];
  const indent = Math.max(...rows.map(([key]) => key.length)) + 2;
  process.stdout.write(`${name}\n${rows.map(([key, value]) => `  ${key.padEnd(indent)}${value}\n`).join("")}`);
};

const shown = (value: unknown): string =>
  typeof value === "number" ? String(Number(value.toPrecision(4))) : JSON.stringify(value);

/** Without the statistics of BatchNorm, which are not trained. */
const weightCount = (architecture: Architecture): number =>
  parameters(architecture)
    .filter(({ kind }) => kind !== "statistic")
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);

export const exportBundle = async (dir: string, options: ExportOptions): Promise<void> => {
  const { onnx, repository, pixels } = options;
  if ((onnx === undefined) === (repository === undefined)) {
    throw new PlatestreamError("invalid-config", "say either --onnx FILE, for one network, or --repository DIR");
  }
  const bundle = await readBundle(dir);
  if (onnx !== undefined) return exportOne(bundle, dir, onnx, options);
  const all = options.cellType === undefined;
  const cellTypes = all ? [...bundle.weights.keys()] : [chooseCellType(bundle, dir, options.cellType)];
  await exportRepository(bundle, cellTypes, repository!, pixels);
};

const exportOne = async (bundle: Bundle, dir: string, onnx: string, options: ExportOptions): Promise<void> => {
  const cellType = chooseCellType(bundle, dir, options.cellType);
  const { architecture } = bundle.manifest;
  const weights = bundle.weights.get(cellType)!;
  const { mode, told } = await readStatistics(options.statistics, architecture, weights);
  await writeFile(onnx, emitNetwork({ architecture, weights }, mode, options.pixels));

  const { channels, height, width, classes, plates } = architecture;
  const { scale, offset } = bundle.manifest.input;
  const values = statisticsCount(normLayers(architecture));
  const lines = [
    `${onnx}: ${cellType} of ${bundle.manifest.name} ${bundle.version}, ${told}`,
    `input  pixels [N, ${channels}, ${height}, ${width}] ${options.pixels}`,
    `input  scale, offset [N, ${channels}] float32: it reads pixels * scale + offset; the bundle says ${scale} and ${offset}`,
    ...(mode === "fixed"
      ? [`input  mean, variance [${values}] float32: of all BatchNorm layers, one after the other`]
      : []),
    ...(plates > 0 ? [`input  plate [N, ${plates}] float32: one-hot position of the plate`] : []),
    `output logits [N, ${classes}], features [N, ${featureCount(architecture)}] float32`,
  ];
  process.stdout.write(`${lines.join("\n  ")}\n`);
};

const chooseCellType = ({ weights }: Bundle, dir: string, wanted: string | undefined): string => {
  const known = [...weights.keys()];
  const chosen = wanted ?? (known.length === 1 ? known[0] : undefined);
  if (chosen !== undefined && weights.has(chosen)) return chosen;
  const list = known.join(", ");
  throw new PlatestreamError(
    "unknown-model",
    chosen === undefined
      ? `${dir} holds several networks; choose one with --cell-type: ${list}`
      : `${dir} has no network for cell type "${chosen}"; it has ${list}`,
  );
};

/** How the graph comes by its statistics, and how that is told. */
const readStatistics = async (
  choice: string,
  architecture: Architecture,
  weights: Weights,
): Promise<{ readonly mode: GraphMode; readonly told: string }> => {
  if (choice === "running") return { mode: { constant: weights }, told: "statistics of its training" };
  if (choice === "input") return { mode: "fixed", told: "statistics are inputs" };
  const bytes = await readRegularFile(choice).catch((cause) => {
    throw new PlatestreamError(
      "invalid-config",
      `--statistics is "running", "input" or a file of statistics, and ${cause.rawMessage}`,
      { cause },
    );
  });
  const constant = decodeStatistics(bytes, normLayers(architecture));
  return { mode: { constant }, told: `statistics of ${choice}` };
};

const describeReplicates = ({ acrossPlates, plateColumns, positions }: Replicates): string => {
  const like = plateColumns.length === 0 ? "all plates of an experiment" : `plates of one ${plateColumns.join(", ")}`;
  const parts = [
    ...(acrossPlates ? [`${like} are filled alike`] : []),
    ...(positions.length > 0 ? [`${positions.length} sets of wells hold one treatment each`] : []),
  ];
  return parts.length === 0 ? "none" : `${parts.join("; ")}; called together`;
};
