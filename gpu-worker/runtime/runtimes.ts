/** The list of runtimes: to add one, add its folder and a line here. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Runtime, RuntimeOptions } from "./runtime.ts";

export interface RuntimeKind {
  readonly name: string;
  /** In the order in which `auto` tries them. */
  readonly providers: readonly string[];
  /** Loads the library, which nobody else does, and opens it on one of the providers. */
  open(provider: string, options: RuntimeOptions): Promise<Runtime>;
}

export const runtimes: readonly RuntimeKind[] = [
  {
    name: "onnxruntime",
    providers: ["cuda", "webgpu", "cpu"],
    open: async (provider, options) => (await import("./onnx/runtime.ts")).openOnnxRuntime(provider, options),
  },
];

/** Throws "usage" with the names there are. */
export const runtimeNamed = (name: string): RuntimeKind => {
  const found = runtimes.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = runtimes.map((each) => each.name).join(" or ");
  throw new PlatestreamError("invalid-config", `there is no runtime "${name}"; choose ${names}`);
};
