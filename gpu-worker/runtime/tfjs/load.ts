/**
 * TensorFlow.js and what it computes on. It is asked for by name only: none of its packages is needed otherwise, and users
 * install those of the provider that they want.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as TensorFlow from "@tensorflow/tfjs-core";
import { PlatestreamError } from "../../../common/errors.ts";

export type Tf = typeof TensorFlow;

/** In the order in which `auto` tries them. */
export const providers = ["tensorflow-gpu", "tensorflow", "webgpu", "wasm"] as const;
export type TfjsProvider = (typeof providers)[number];

const version = "4.22.0";
const packagesOf: Readonly<Record<TfjsProvider, readonly string[]>> = {
  "tensorflow-gpu": ["@tensorflow/tfjs-node-gpu"],
  tensorflow: ["@tensorflow/tfjs-node"],
  webgpu: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu", "webgpu"],
  wasm: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm"],
};

const installCommand = (provider: TfjsProvider): string =>
  `npm install ${packagesOf[provider].map((name) => (name === "webgpu" ? name : `${name}@${version}`)).join(" ")}`;

/** Beside this package, or where the program was started. */
const places = [import.meta.url, join(process.cwd(), "package.json")];

const missing = (name: string, provider: TfjsProvider, cause: unknown) =>
  new PlatestreamError(
    "invalid-model",
    `tfjs on "${provider}" needs ${packagesOf[provider].join(", ")}, and ${name} is not there; install with: ${installCommand(provider)}`,
    { cause },
  );

/** All from one place: backends register with the core that lies beside them. */
const loaderOf = (provider: TfjsProvider): NodeJS.Require => {
  let failure: PlatestreamError | undefined;
  for (const place of places) {
    const from = createRequire(place);
    const absent = packagesOf[provider].find((name) => {
      try {
        from.resolve(name);
        return false;
      } catch (cause) {
        failure ??= missing(name, provider, cause);
        return true;
      }
    });
    if (absent === undefined) return from;
  }
  throw failure;
};

const load = (loader: NodeJS.Require, name: string, provider: TfjsProvider): unknown => {
  try {
    return loader(name);
  } catch (cause) {
    const why = (cause as Error).message.split("\n")[0];
    throw new PlatestreamError("invalid-model", `tfjs on "${provider}": ${name} does not load: ${why}`, { cause });
  }
};

const openWasm = async (tf: Tf, loader: NodeJS.Require, threads: number): Promise<void> => {
  const wasm = load(loader, "@tensorflow/tfjs-backend-wasm", "wasm") as { setThreadsCount(count: number): void };
  wasm.setThreadsCount(threads);
  if (!(await tf.setBackend("wasm"))) throw new PlatestreamError("invalid-model", "tfjs: WebAssembly does not start");
};

interface Dawn {
  create(options: string[]): { requestAdapter(options: object): Promise<Adapter | null> };
  readonly globals: object;
}
interface Adapter {
  readonly info: { readonly vendor: string; readonly description: string };
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: object): Promise<object>;
}
interface WebGpuBackend {
  readonly WebGPUBackend: new (device: object, info: object) => TensorFlow.KernelBackend;
}

/** Limits that are asked for as high as the adapter has them. */
const limits = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
];

/** They stay as long as the process: collected, they would take their devices with them. */
const instances: object[] = [];

/** The backend asks whether it is in a browser that has WebGPU when it is made, and never again. */
const asInBrowser = <T>(gpu: object, make: () => T): T => {
  const names = ["navigator", "WorkerGlobalScope"] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  const stand = (name: string, value: object) => Object.defineProperty(globalThis, name, { value, configurable: true });
  stand("navigator", { gpu });
  stand("WorkerGlobalScope", class {});
  try {
    return make();
  } finally {
    for (const [index, name] of names.entries()) {
      if (before[index] === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, before[index]);
    }
  }
};

const openWebGpu = async (tf: Tf, loader: NodeJS.Require): Promise<void> => {
  const name = loader.resolve("webgpu"); // an ES module, which Node 20 does not require
  const dawn = (await import(name)) as Dawn;
  Object.assign(globalThis, dawn.globals);
  const instance = dawn.create([]);
  instances.push(instance);
  const adapter = await instance.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) {
    throw new PlatestreamError(
      "invalid-model",
      'tfjs on "webgpu": there is no graphics adapter; it needs a driver with Vulkan, and on Debian the package libvulkan1',
    );
  }
  const requiredLimits = Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]!]));
  const device = await adapter.requestDevice({ requiredLimits });
  const { WebGPUBackend } = load(loader, "@tensorflow/tfjs-backend-webgpu", "webgpu") as WebGpuBackend;
  const backend = asInBrowser(instance, () => new WebGPUBackend(device, adapter.info));
  tf.registerBackend("webgpu", () => backend);
  await tf.setBackend("webgpu");
};

/** TensorFlow.js on the provider, ready. Throws "invalid-model" with what is missing and how to install it. */
export const loadTensorFlow = async (provider: TfjsProvider, threads: number): Promise<Tf> => {
  const loader = loaderOf(provider);
  const tf = load(loader, packagesOf[provider][0]!, provider) as Tf;
  tf.env().set("PROD", true); // no checks of values, no hints on the console
  if (provider === "wasm") await openWasm(tf, loader, threads);
  else if (provider === "webgpu") await openWebGpu(tf, loader);
  else await tf.setBackend("tensorflow");
  await tf.ready();
  return tf;
};
