/** What `pipeline worker` does. */
import { openOnnxEngine } from "../../gpu-worker/engine/onnx-engine.ts";
import { readBundle } from "../../gpu-worker/model/bundle.ts";
import { startServer } from "../../gpu-worker/server/server.ts";
import type { WorkerOptions } from "./worker.ts";

/** Resolves when the worker has been told to end and everything under way is finished. */
export const runWorker = async (options: WorkerOptions): Promise<void> => {
  const { model, listen, insecureListen = false, provider, threads, maxBatch, sessions, maxMessage } = options;
  const told = toldToEnd(options.exitWithParent ?? false);
  const bundles = await Promise.all(model.map(readBundle));
  const engine = await openOnnxEngine(bundles, { provider, threads, maxBatch, sessions });
  try {
    const server = await startServer(engine, { listen, insecureListen, maxMessageBytes: maxMessage * 2 ** 20 });
    const networks = engine.models().map(({ name, cellType, version, trained }) => ({
      name,
      cellType,
      version,
      trained,
    }));
    const { address } = server;
    const ready = { type: "ready", address, runtime: engine.runtime, provider: engine.provider, models: networks };
    const list = networks.map((each) => `${each.name} ${each.cellType}${each.trained ? "" : " (untrained)"}`);
    process.stdout.write(
      options.json
        ? `${JSON.stringify(ready)}\n`
        : `ready on ${address}, computing with ${engine.runtime} on ${engine.provider}: ${list.join(", ")}\n`,
    );
    await told;
    await server.close();
  } finally {
    await engine.close();
  }
};

const toldToEnd = (withParent: boolean): Promise<void> =>
  new Promise((resolve) => {
    process.on("SIGTERM", () => resolve());
    // Ctrl-C reaches the parent as well, which still needs answers while it drains.
    process.on("SIGINT", () => (withParent ? undefined : resolve()));
    if (!withParent) return;
    process.stdin.on("close", () => resolve());
    process.stdin.on("error", () => resolve());
    process.stdin.resume();
  });
