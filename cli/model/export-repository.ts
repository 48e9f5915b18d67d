/** What `pipeline model export --repository` does: a folder that NVIDIA Triton serves as it is. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";
import {
  aboutTensors,
  describeExported,
  type ExportedNetwork,
  type ExportedTask,
  type ExportedTensor,
  exportedName,
  exportedTensors,
  pixelDatatypes,
} from "../../common/exported-network.ts";
import { statisticsCount } from "../../common/norm-statistics.ts";
import type { Bundle } from "../../gpu-worker/bundle/bundle.ts";
import { serve } from "../../gpu-worker/engine/served.ts";
import { exportedGraphs } from "../../gpu-worker/runtime/onnx/exported-graphs.ts";
import type { PixelType } from "../../gpu-worker/runtime/runtime.ts";

/** Of the networks for `cellTypes`. */
export const exportRepository = async (
  bundle: Bundle,
  cellTypes: readonly string[],
  repository: string,
  pixels: PixelType,
): Promise<void> => {
  const networks = serve([bundle]).filter(({ model }) => cellTypes.includes(model.cellType));
  for (const network of networks) {
    const exported = exportedGraphs(network, pixels);
    const name = `${network.model.name}.${network.model.cellType}`;
    if (!/^[\w.-]+$/.test(name)) {
      throw new PlatestreamError(
        "invalid-config",
        `"${name}" cannot be the name of a folder and model: it has other characters than letters, digits, dot, dash and underscore`,
      );
    }
    for (const [task, graph] of exported.graphs()) {
      const folder = join(repository, exportedName(name, task));
      await mkdir(join(folder, "1"), { recursive: true });
      await writeFile(join(folder, "1/model.onnx"), graph);
      await writeFile(join(folder, "config.pbtxt"), configOf(exported, task, pixelDatatypes[pixels]));
    }
    process.stdout.write(`${join(repository, name)}: ${describeRun(name)}\n`);
  }
};

const describeRun = (name: string): string =>
  `with .calibrate, .batch and .about; a run calls it as --worker triton://HOST:8001/${name}`;

const tensorsOf = (
  exported: ExportedNetwork,
  task: ExportedTask,
  pixels: "UINT8" | "UINT16" | "FP32",
): { readonly inputs: readonly ExportedTensor[]; readonly outputs: readonly ExportedTensor[] } => {
  if (task !== "about") return exportedTensors(exported, task, pixels);
  const { length } = describeExported(exported);
  const values = statisticsCount(exported.layers);
  const [network, ...trained] = aboutTensors.outputs;
  return {
    inputs: [aboutTensors.input],
    outputs: [
      { name: network, datatype: "UINT8", shape: [length] },
      ...trained.map((name) => ({ name, datatype: "FP32", shape: [values] }) as const),
    ],
  };
};

/** Triton's model configuration. No batch dimension of its own: the statistics are inputs that have none. */
const configOf = (exported: ExportedNetwork, task: ExportedTask, pixels: "UINT8" | "UINT16" | "FP32"): string => {
  const { inputs, outputs } = tensorsOf(exported, task, pixels);
  const list = (tensors: readonly ExportedTensor[]) =>
    tensors
      .map(
        ({ name, datatype, shape }) => `  { name: "${name}" data_type: TYPE_${datatype} dims: [${shape.join(", ")}] }`,
      )
      .join(",\n");
  return `backend: "onnxruntime"\nmax_batch_size: 0\ninput [\n${list(inputs)}\n]\noutput [\n${list(outputs)}\n]\n`;
};
