/** ONNX Runtime: the only file that imports it. */
import * as ort from "onnxruntime-node";
import { PlatestreamError } from "../../proto/errors.ts";
import type { Runtime, Session, SessionOptions, Tensor, TensorData, Tensors } from "./runtime.ts";

/** In the order in which `auto` tries them. Bundled with the npm package: `cpu` and `webgpu`. */
export const providers = ["cuda", "webgpu", "cpu"] as const;
export type Provider = (typeof providers)[number];

const fromOrt = (tensor: ort.Tensor): Tensor => ({
  type: tensor.type as Tensor["type"],
  data: tensor.data as TensorData,
  shape: tensor.dims,
});

const openSession = async (model: Uint8Array, provider: Provider, { threads }: SessionOptions): Promise<Session> => {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
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

/** The runtime on the given provider. Nothing is checked before the first model is loaded. */
export const onnxRuntime = (provider: Provider = "cpu"): Runtime => ({
  name: "onnxruntime",
  provider,
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

export type { Tensors };
