/** ONNX Runtime: the only file that imports it. */
import "../no-telemetry.ts";
import * as ort from "onnxruntime-node";
import { PlatestreamError } from "../../../common/errors.ts";
import { OnnxGraph } from "./graph.ts";
import type { Tensor, TensorData, Tensors } from "./tensor.ts";

// What goes wrong is thrown; the native log would say it a second time, in the middle of the output.
ort.env.logLevel = "fatal";

/** In the order in which `auto` tries them. Bundled with the npm package: `cpu` and `webgpu`. */
export const providers = ["cuda", "webgpu", "cpu"] as const;
export type Provider = (typeof providers)[number];

/** A loaded graph. `run` blocks the thread that calls it for as long as the graph computes. */
export interface Session {
  /** Computes the named outputs; all of them when none are named. */
  run(inputs: Tensors, outputs?: readonly string[]): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** Threads that one operation is spread over, at least 1. */
  readonly threads: number;
  /** The graph is written in the provider's own memory format: load it as it is, which is faster. */
  readonly unoptimized?: boolean;
  /** Allocates as the operations run, not a second time in one piece: half the memory of a graph with large values. */
  readonly unplannedMemory?: boolean;
}

/** ONNX Runtime on one provider. Nothing is checked before the first graph is loaded. */
export interface OnnxSessions {
  readonly provider: Provider;
  /** Channels that lie side by side in the provider's own memory format; 1: it has none. */
  block(): Promise<number>;
  /** Loads an ONNX model from its bytes. Throws "invalid-model" where the provider cannot. */
  load(model: Uint8Array, options: SessionOptions): Promise<Session>;
}

const fromOrt = (tensor: ort.Tensor): Tensor => ({
  type: tensor.type as Tensor["type"],
  data: tensor.data as TensorData,
  shape: tensor.dims,
});

const openSession = async (
  model: Uint8Array,
  provider: Provider,
  { threads, unoptimized = false, unplannedMemory = false }: SessionOptions,
): Promise<Session> => {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4, // what fails is thrown
    enableMemPattern: !unplannedMemory,
    graphOptimizationLevel: unoptimized ? "disabled" : "all",
  });
  return {
    async run(inputs, outputs) {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { type, data, shape }]) => [
          name,
          new ort.Tensor(type as "float32", data as Float32Array, shape),
        ]),
      );
      const results = outputs === undefined ? await session.run(feeds) : await session.run(feeds, [...outputs]);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    close: () => session.release(),
  };
};

/** Channels that lie side by side in the CPU provider's blocked format, as this processor has it: 16, 8, or 1 for none. */
const measureBlock = async (): Promise<number> => {
  const graph = new OnnxGraph("block");
  const input = graph.input("rowMajor", "float32", [1, 64, 1, 2]);
  graph.node("com.microsoft.nchwc:ReorderInput", [input], {}, "blocked");
  graph.output("blocked", "float32", [1, 64, 1, 2]);
  let session: Session;
  try {
    session = await openSession(graph.encode(), "cpu", { threads: 1, unoptimized: true });
  } catch {
    return 1; // the operation is there on processors that have the format
  }
  const data = new Float32Array(128);
  data[1] = 1; // the second pixel of the first channel lies behind the first pixel of all channels of its block
  const { blocked } = await session.run({ rowMajor: { type: "float32", data, shape: [1, 64, 1, 2] } });
  await session.close();
  return (blocked!.data as Float32Array).indexOf(1);
};

let cpuBlock: Promise<number> | undefined;

export const onnxSessions = (provider: Provider = "cpu"): OnnxSessions => ({
  provider,
  async block() {
    if (provider !== "cpu") return 1;
    cpuBlock ??= measureBlock();
    return cpuBlock;
  },
  async load(model, options) {
    try {
      return await openSession(model, provider, options);
    } catch (cause) {
      throw new PlatestreamError(
        "invalid-model",
        `ONNX Runtime could not load the network on provider "${provider}": ${(cause as Error).message}`,
        { cause },
      );
    }
  },
});
