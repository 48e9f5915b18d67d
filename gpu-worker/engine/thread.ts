/** The thread that computes: it owns the runtime and its sessions, and takes one job at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { PlatestreamError } from "../../common/errors.ts";
import { runInPieces } from "../runtime/onnx/batch-pieces.ts";
import { emitNetwork } from "../runtime/onnx/inference.ts";
import { onnxRuntime } from "../runtime/onnx/session.ts";
import { float32, type Session, type Tensors } from "../runtime/runtime.ts";
import { Bounded } from "./bounded.ts";
import type { Answer, Job, ThreadOptions } from "./messages.ts";

const { networks, provider, threads, sessions: bound } = workerData as ThreadOptions;
const runtime = onnxRuntime(provider);
const sessions = new Bounded<Session>(bound);
/** Of a batch whose statistics are fixed: fewer are faster and take less memory on a CPU, more keep a GPU busy. */
const imagesPerRun = provider === "cpu" ? 4 : 32;
let created = 0;

const sessionFor = async ({ network, mode, pixelType }: Job): Promise<Session> => {
  const key = `${network} ${mode} ${pixelType}`;
  const held = sessions.get(key);
  if (held !== undefined) return held;
  const { architecture, weights } = networks[network]!;
  const block = await runtime.block();
  const model = emitNetwork(architecture, weights, { kind: mode }, pixelType, block);
  const session = await runtime.load(model, { threads, unoptimized: block > 1 });
  created += 1;
  for (const old of sessions.set(key, session)) await old.close();
  return session;
};

const inputsOf = ({ network, pixelType, pixels, shape, scale, offset, plate, statistics }: Job): Tensors => {
  const [images, channels] = shape as [number, number];
  const { plates } = networks[network]!.architecture;
  return {
    pixels: { type: pixelType, data: pixels, shape },
    scale: float32(scale, [images, channels]),
    offset: float32(offset, [images, channels]),
    ...(plate === undefined ? {} : { plate: float32(plate, [images, plates]) }),
    ...(statistics === undefined
      ? {}
      : {
          mean: float32(statistics.mean, [statistics.mean.length]),
          variance: float32(statistics.variance, [statistics.variance.length]),
        }),
  };
};

const compute = async (job: Job): Promise<Answer> => {
  try {
    const session = await sessionFor(job);
    const inputs = inputsOf(job);
    const started = performance.now();
    const results =
      job.mode === "given"
        ? await runInPieces(session, inputs, ["mean", "variance"], imagesPerRun)
        : await session.run(inputs);
    const inferred = performance.now();
    const outputs = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
    return {
      type: "done",
      outputs,
      created,
      inferMs: inferred - started,
      outputMs: performance.now() - inferred,
    };
  } catch (thrown) {
    const { code, rawMessage } = PlatestreamError.from(thrown);
    return { type: "failed", code, message: rawMessage, created };
  }
};

parentPort!.on("message", async (job: Job | "close") => {
  if (job !== "close") return parentPort!.postMessage(await compute(job));
  for (const session of sessions.clear()) await session.close();
  parentPort!.close();
});
