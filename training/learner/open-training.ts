/** What training computes on, by name. TensorFlow.js is loaded only where it is asked for. */
import { PlatestreamError } from "../../common/errors.ts";
import { onnxSessions, type Provider } from "../../gpu-worker/runtime/onnx/session.ts";
import { providers as tfjsProviders } from "../../gpu-worker/runtime/tfjs/load.ts";
import { onnxTraining, type TrainingRuntime } from "./training-runtime.ts";

/** ONNX Runtime's providers by their own names, TensorFlow.js' behind `tfjs-`. */
export type TrainingProvider = Provider | `tfjs-${(typeof tfjsProviders)[number]}`;

const onnxProviders: readonly Provider[] = ["cpu", "cuda", "webgpu"];

/** Throws "invalid-config" where the runtime has no such provider. */
export const trainingProvider = (runtime: string, provider: string): TrainingProvider => {
  const among: readonly TrainingProvider[] =
    runtime === "tfjs" ? tfjsProviders.map((each) => `tfjs-${each}` as const) : onnxProviders;
  const found = among.find((each) => each === (runtime === "tfjs" ? `tfjs-${provider}` : provider));
  if (found !== undefined) return found;
  const names = among.map((each) => each.replace("tfjs-", "")).join(", ");
  throw new PlatestreamError("invalid-config", `the runtime ${runtime} has no provider "${provider}"; choose ${names}`);
};

export const openTraining = async (name: TrainingProvider, threads: number): Promise<TrainingRuntime> => {
  const provider = tfjsProviders.find((each) => name === `tfjs-${each}`);
  if (provider === undefined) return onnxTraining(onnxSessions(name as Provider), threads);
  const { tensorFlowTraining } = await import("../gradients/tensorflow.ts");
  return tensorFlowTraining(provider, threads);
};
