/** One network as the four ONNX models that servers of the Open Inference Protocol hold of it. */
import {
  aboutTensors,
  describeExported,
  type ExportedNetwork,
  type ExportedTask,
  exportedTasks,
} from "../../../common/exported-network.ts";
import type { Served } from "../../engine/served.ts";
import { normLayers } from "../../network/architecture.ts";
import type { PixelType } from "../runtime.ts";
import { OnnxGraph } from "./graph.ts";
import { constantOutput, emitNetwork } from "./network-graph.ts";

const modes = { predict: "fixed", calibrate: "calibration", batch: "batch" } as const;

export interface ExportedGraphs extends ExportedNetwork {
  /** In the order of `exportedTasks`; each is made when it is asked for. */
  graphs(): Iterable<readonly [task: ExportedTask, model: Uint8Array]>;
}

export const exportedGraphs = ({ model, network, input, running }: Served, pixels: PixelType): ExportedGraphs => {
  const described: ExportedNetwork = { model, layers: normLayers(network.architecture), input };
  const constants = { version: Buffer.from(model.version) };
  const about = (): Uint8Array => {
    const graph = new OnnxGraph("about");
    const { name, shape } = aboutTensors.input;
    graph.input(name, "uint8", shape);
    constantOutput(graph, "network", "uint8", describeExported(described));
    constantOutput(graph, "trained_mean", "float32", running.mean);
    constantOutput(graph, "trained_variance", "float32", running.variance);
    return graph.encode();
  };
  return {
    ...described,
    *graphs() {
      for (const task of exportedTasks) {
        const made =
          task === "about" ? about() : emitNetwork(network, modes[task], pixels, { fixedSize: true, constants });
        yield [task, made] as const;
      }
    },
  };
};
