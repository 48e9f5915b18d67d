/** The list of runtimes: to add one, add its folder and a line here. Nothing is loaded before it is opened. */
import "./no-telemetry.ts";
import { PlatestreamError } from "../../common/errors.ts";
import type { Runtime, RuntimeKind, RuntimeOptions } from "./runtime.ts";

export const runtimes: readonly RuntimeKind[] = [
  {
    name: "onnxruntime",
    providers: ["cuda", "webgpu", "cpu"],
    open: async (provider, options) => (await import("./onnx/runtime.ts")).openOnnxRuntime(provider, options),
  },
  {
    name: "tfjs",
    providers: ["tensorflow-gpu", "tensorflow", "webgpu", "wasm"],
    open: async (provider, options) => (await import("./tfjs/runtime.ts")).openTfjsRuntime(provider, options),
  },
];

/** Providers that are no graphics cards. */
export const onProcessor: readonly string[] = ["cpu", "wasm", "tensorflow"];

export const runtimeNames = runtimes.map(({ name }) => name);
export const providerNames = [...new Set(runtimes.flatMap(({ providers }) => providers))];

/** What all others are held against. */
const reference = { runtime: "onnxruntime", provider: "cpu" } as const;

/**
 * A runtime of the list, or the one that a module exports as `runtime` where `name` is the URL of a file. Throws
 * "invalid-config" with the names there are.
 */
export const findRuntime = async (name: string): Promise<RuntimeKind> => {
  if (name.startsWith("file:")) return ((await import(name)) as { runtime: RuntimeKind }).runtime;
  const found = runtimes.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = runtimes.map((each) => each.name).join(" or ");
  throw new PlatestreamError("invalid-config", `there is no runtime "${name}"; choose ${names}`);
};

/** Opens a runtime on a provider whose networks are checked against the reference before they compute anything. */
export const openRuntime = async (name: string, provider: string, options: RuntimeOptions): Promise<Runtime> => {
  const { providers, open } = await findRuntime(name);
  if (!providers.includes(provider)) {
    throw new PlatestreamError(
      "invalid-config",
      `the runtime ${name} has no provider "${provider}"; choose ${providers.join(", ")} or auto`,
    );
  }
  const isReference = name === reference.runtime && provider === reference.provider;
  if (isReference && options.precision === "float16") {
    throw new PlatestreamError(
      "invalid-config",
      "processors have no arithmetic for float16: on the provider cpu it would be slower; leave --precision out",
    );
  }
  const runtime = await open(provider, options);
  if (isReference) return runtime;
  const [right, { checkedRuntime }] = await Promise.all([findRuntime(reference.runtime), import("./self-check.ts")]);
  return checkedRuntime(runtime, await right.open(reference.provider, { ...options, precision: "float32" }));
};
