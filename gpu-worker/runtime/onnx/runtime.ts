/** ONNX Runtime as a runtime: writes a network as a graph, loads it, and runs batches in pieces that suit the provider. */
import type { NetworkInputs, Runtime, RuntimeOptions } from "../runtime.ts";
import { runInPieces } from "./batch-pieces.ts";
import { emitNetwork } from "./network-graph.ts";
import { onnxSessions, type Provider } from "./session.ts";
import { float32, type Tensors } from "./tensor.ts";

/** Of a batch whose statistics are fixed: fewer are faster and take less memory on a CPU, more keep a GPU busy. */
const imagesPerRun = (provider: Provider): number => (provider === "cpu" ? 4 : 32);

const tensorsOf = ({ pixels, shape, scale, offset, plate, statistics }: NetworkInputs): Tensors => {
  const [images, channels] = shape as [number, number];
  const vector = (data: Float32Array) => float32(data, [data.length]);
  return {
    pixels: { type: typeOf(pixels), data: pixels, shape },
    scale: float32(scale, [images, channels]),
    offset: float32(offset, [images, channels]),
    ...(plate === undefined ? {} : { plate: float32(plate, [images, plate.length / images]) }),
    ...(statistics === undefined ? {} : { mean: vector(statistics.mean), variance: vector(statistics.variance) }),
  };
};

const typeOf = (pixels: NetworkInputs["pixels"]) =>
  pixels instanceof Uint8Array ? "uint8" : pixels instanceof Uint16Array ? "uint16" : "float32";

export const openOnnxRuntime = (provider: string, { threads, precision }: RuntimeOptions): Runtime => {
  const known = provider as Provider;
  const sessions = onnxSessions(known);
  return {
    name: "onnxruntime",
    provider,
    precision,
    async open(network, mode, pixelType) {
      const block = precision === "float32" ? await sessions.block() : 1;
      const session = await sessions.load(
        emitNetwork(network, mode, pixelType, { block, channelMultiple: provider === "webgpu" ? 4 : 1, precision }),
        {
          threads,
          unoptimized: block > 1,
        },
      );
      return {
        async run(inputs) {
          const tensors = tensorsOf(inputs);
          const results =
            mode === "fixed"
              ? await runInPieces(session, tensors, ["mean", "variance"], imagesPerRun(known))
              : await session.run(tensors);
          return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
        },
        close: () => session.close(),
      };
    },
  };
};
