/** A runtime whose provider `broken` is wrong in one operation, `absent` is not there, and `right` computes as it should. */
import { PlatestreamError } from "../../common/errors.ts";
import type { NetworkInputs, RuntimeKind } from "../../gpu-worker/runtime/runtime.ts";
import { findRuntime } from "../../gpu-worker/runtime/runtimes.ts";

export const runtime: RuntimeKind = {
  name: "planted",
  providers: ["absent", "broken", "right"],
  async open(provider, options) {
    if (provider === "absent") throw new PlatestreamError("invalid-model", "its library is not installed");
    const cpu = await (await findRuntime("onnxruntime")).open("cpu", options);
    if (provider === "right") return { ...cpu, name: "planted", provider };
    return {
      ...cpu,
      name: "planted",
      provider,
      async open(network, mode, pixelType) {
        // Filters of one layer are mirrored, as a kernel does that mixes up its axes.
        const layer = "features.denseblock1.denselayer1.conv2.weight";
        const mirrored = network.weights.get(layer)!.slice().reverse();
        const weights = new Map(network.weights).set(layer, mirrored);
        const opened = await cpu.open({ ...network, weights }, mode, pixelType);
        return { run: (inputs: NetworkInputs) => opened.run(inputs), close: () => opened.close() };
      },
    };
  },
};
