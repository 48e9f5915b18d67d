/** TensorFlow.js as a runtime: walks the network for every batch. */
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { PlatestreamError } from "../../../common/errors.ts";
import { type Network, normLayers } from "../../network/architecture.ts";
import { densenet } from "../../network/densenet.ts";
import type { NetworkInputs, NetworkMode, NetworkOutputs, Runtime, RuntimeOptions } from "../runtime.ts";
import { loadTensorFlow, type Tf, type TfjsProvider } from "./load.ts";
import { affinePixels, fixedStatistics, type RunStatistics, tfjsOperations, uploadParameters } from "./network.ts";

type Measured = Map<string, Parameters<RunStatistics["report"]>[1]>;

const run = async (
  tf: Tf,
  network: Network,
  parameters: ReadonlyMap<string, Tensor>,
  mode: NetworkMode,
  inputs: NetworkInputs,
): Promise<NetworkOutputs> => {
  const { architecture } = network;
  const { statistics, plate } = inputs;
  const measured: Measured = new Map();
  const outputs = tf.tidy((): Record<string, Tensor> => {
    const rows: Tensor2D | undefined =
      architecture.plates > 0
        ? tf.tensor2d(plate ?? new Float32Array(inputs.shape[0]! * architecture.plates), [
            inputs.shape[0]!,
            architecture.plates,
          ])
        : undefined;
    const fixed = mode === "fixed" ? fixedStatistics(tf, architecture, statistics!) : undefined;
    const operations = tfjsOperations(
      tf,
      parameters,
      { ...(fixed && { fixed }), report: (layer, moments) => measured.set(layer, moments) },
      rows,
    );
    const { features, logits } = densenet(architecture, operations, { tensor: affinePixels(tf, inputs), once: true });
    if (mode !== "calibration") return { features: features.tensor, logits: logits.tensor };
    const all = normLayers(architecture).map(({ name }) => measured.get(name)!);
    return { mean: tf.concat(all.map(({ mean }) => mean)), variance: tf.concat(all.map(({ variance }) => variance)) };
  });
  for (const { mean, variance } of measured.values()) tf.dispose([mean, variance]);
  const values = await Promise.all(
    Object.entries(outputs).map(async ([name, tensor]) => [name, await tensor.data<"float32">()] as const),
  );
  tf.dispose(outputs);
  return Object.fromEntries(values.map(([name, data]) => [name, Float32Array.from(data)]));
};

export const openTfjsRuntime = async (provider: string, { threads, precision }: RuntimeOptions): Promise<Runtime> => {
  if (precision !== "float32") {
    throw new PlatestreamError(
      "invalid-config",
      `tfjs computes in float32 only, not in ${precision}; leave --precision out, or use --runtime onnxruntime`,
    );
  }
  const tf = await loadTensorFlow(provider as TfjsProvider, threads);
  return {
    name: "tfjs",
    provider,
    precision,
    async open(network, mode) {
      const parameters = uploadParameters(tf, network);
      return {
        run: (inputs) => run(tf, network, parameters, mode, inputs),
        close: async () => tf.dispose([...parameters.values()]),
      };
    },
  };
};
