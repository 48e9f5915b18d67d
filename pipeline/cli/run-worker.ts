/** What `pipeline worker` does. */
import type { Engine } from "../../gpu-worker/engine/engine.ts";
import { openOnnxEngine } from "../../gpu-worker/engine/onnx-engine.ts";
import { readBundle } from "../../gpu-worker/model/bundle.ts";
import { startServer } from "../../gpu-worker/server/server.ts";
import type { WorkerOptions } from "./worker.ts";

/** Resolves when the worker has been told to end and everything under way is finished. */
export const runWorker = async (options: WorkerOptions): Promise<void> => {
  const { model, listen, insecureListen = false, provider, threads, maxBatch, sessions, maxMessage } = options;
  const end = whenToEnd(options.exitWithParent ?? false);
  try {
    const bundles = await Promise.all(model.map(readBundle));
    const engine = await openOnnxEngine(bundles, { provider, threads, maxBatch, sessions });
    try {
      const server = await startServer(engine, { listen, insecureListen, maxMessageBytes: maxMessage * 2 ** 20 });
      sayReady(server.address, engine, options.json ?? false);
      await end.told;
      await server.close();
    } finally {
      await engine.close();
    }
  } finally {
    end.forget();
  }
};

const sayReady = (address: string, { runtime, provider, models }: Engine, json: boolean): void => {
  const networks = models().map(({ name, cellType, version, trained }) => ({ name, cellType, version, trained }));
  const list = networks.map(({ name, cellType, trained }) => `${name} ${cellType}${trained ? "" : " (untrained)"}`);
  process.stdout.write(
    json
      ? `${JSON.stringify({ type: "ready", address, runtime, provider, models: networks })}\n`
      : `ready on ${address}, computing with ${runtime} on ${provider}: ${list.join(", ")}\n`,
  );
};

interface End {
  readonly told: Promise<void>;
  /** Lets go of stdin, which would keep the process alive. */
  forget(): void;
}

/** SIGTERM and Ctrl-C, or the end of stdin; a second signal ends the process at once. */
const whenToEnd = (withParent: boolean): End => {
  const { stdin } = process;
  let signals = 0;
  const told = new Promise<void>((resolve) => {
    const onSignal = () => {
      signals += 1;
      if (signals > 1) process.exit(130);
      resolve();
    };
    process.on("SIGTERM", onSignal);
    // Ctrl-C reaches the parent as well, which still needs answers while it drains.
    process.on("SIGINT", withParent ? () => undefined : onSignal);
    if (!withParent) return;
    stdin.on("close", resolve);
    stdin.on("error", () => resolve());
    stdin.resume();
  });
  return { told, forget: () => (withParent ? void stdin.destroy() : undefined) };
};
