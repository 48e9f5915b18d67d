/** What `pipeline model info` and `pipeline model export` do. */
import { writeFile } from "node:fs/promises";
import type { Replicates } from "../../common/assignment/replicates.ts";
import { PlatestreamError } from "../../common/errors.ts";
import { decodeStatistics } from "../../common/norm-statistics.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { type Bundle, readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { type Architecture, featureCount, normLayers, parameters } from "../../gpu-worker/network/architecture.ts";
import { emitNetwork } from "../../gpu-worker/runtime/onnx/network-graph.ts";

export interface ExportOptions {
  readonly onnx: string;
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
  const bundle = await readBundle(dir);
  const cellType = chooseCellType(bundle, dir, options.cellType);
  const { architecture } = bundle.manifest;
  const statistics = await readStatistics(options.statistics, architecture);
  const weights = bundle.weights.get(cellType)!;
  const constant = statistics === undefined ? weights : statistics;
  const model = emitNetwork({ architecture, weights }, { constant }, options.pixels);
  await writeFile(options.onnx, model);

  const { channels, height, width, classes, plates } = architecture;
  const { scale, offset } = bundle.manifest.input;
  const lines = [
    `${options.onnx}: ${cellType} of ${bundle.manifest.name} ${bundle.version}, ${options.statistics === "running" ? "statistics of its training" : `statistics of ${options.statistics}`}`,
    `input  pixels [N, ${channels}, ${height}, ${width}] ${options.pixels}`,
    `input  scale, offset [N, ${channels}] float32: it reads pixels * scale + offset; the bundle says ${scale} and ${offset}`,
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

const readStatistics = async (choice: string, architecture: Architecture) => {
  if (choice === "running") return undefined;
  const bytes = await readRegularFile(choice).catch((cause) => {
    throw new PlatestreamError(
      "invalid-config",
      `--statistics is "running" or a file of statistics, and ${cause.rawMessage}`,
      { cause },
    );
  });
  return decodeStatistics(bytes, normLayers(architecture));
};

const describeReplicates = ({ acrossPlates, plateColumns, positions }: Replicates): string => {
  const like = plateColumns.length === 0 ? "all plates of an experiment" : `plates of one ${plateColumns.join(", ")}`;
  const parts = [
    ...(acrossPlates ? [`${like} are filled alike`] : []),
    ...(positions.length > 0 ? [`${positions.length} sets of wells hold one treatment each`] : []),
  ];
  return parts.length === 0 ? "none" : `${parts.join("; ")}; called together`;
};
