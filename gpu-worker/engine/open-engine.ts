/** Opens the engine: one runtime on one provider, in a thread of its own. */
import { LRUCache } from "lru-cache";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { type Images, type Statistics, statisticsName } from "../../common/inference.ts";
import { finite, oneHot, perImage, validateImages } from "../../common/network-inputs.ts";
import {
  decodeStatistics,
  encodeStatistics,
  estimateStatistics,
  type PackedStatistics,
  packStatistics,
  statisticsId,
} from "../../common/norm-statistics.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { normLayers } from "../network/architecture.ts";
import type { PixelType, Precision } from "../runtime/runtime.ts";
import { findRuntime, onProcessor } from "../runtime/runtimes.ts";
import { threadCount } from "../runtime/threads.ts";
import { type ComputingThread, startComputingThread } from "./computing-thread.ts";
import type { Device, Engine, Execution, ExecutionTimes } from "./engine.ts";
import type { Job, JobMode } from "./job.ts";
import { choose, type Served, serve } from "./served.ts";
import { validateSpread } from "./validate.ts";

export interface EngineOptions {
  /** One of `runtimes`, or the URL of a file, see `findRuntime`. */
  readonly runtime: string;
  /** One of that runtime's; `auto`: the first that runs. */
  readonly provider: string;
  readonly precision: Precision;
  /** Threads that one operation is spread over; 0: one per physical core that this process may use. */
  readonly threads: number;
  /** Largest batch that is taken. */
  readonly maxBatch: number;
  /** Open networks that are kept: one per network, `NetworkMode` and type of pixels. */
  readonly sessions: number;
  /** Batches that may wait. */
  readonly queue: number;
  /** Bytes of pixels that may wait. */
  readonly queueBytes: number;
  /** Images up to which batches that wait are computed as one; undefined: what is best on the provider. */
  readonly bestBatch: number | undefined;
  /** Networks that are opened before their memory is given back by replacing the thread that computes. */
  readonly sessionsPerThread: number;
  /** Calibrated statistics that are kept. DenseNet-121: 0.7 MB each. */
  readonly statistics: number;
  /** Called after every run of a network but those that warm it up. */
  readonly observe: (execution: Execution) => void;
}

const defaultEngineOptions: EngineOptions = {
  runtime: "onnxruntime",
  provider: "auto",
  precision: "float32",
  threads: 0,
  maxBatch: 128,
  sessions: 8,
  queue: 64,
  queueBytes: 2 ** 30,
  bestBatch: undefined,
  sessionsPerThread: 32,
  statistics: 64,
  observe: () => undefined,
};

/** Starts an engine for the networks of some bundles. Resolves when they are warm: each, as far as sessions are kept, has computed an image. */
export const openEngine = async (bundles: readonly Bundle[], given: Partial<EngineOptions> = {}): Promise<Engine> => {
  const chosen = { ...defaultEngineOptions, ...given };
  const options = { ...chosen, threads: threadCount(chosen.threads) };
  const served = serve(bundles);
  if (served.length === 0) {
    throw new PlatestreamError("invalid-model", "a worker needs a bundle with at least one network");
  }
  let warm = false;
  const observe = ({ network, mode, shape }: Job, times: ExecutionTimes) => {
    if (warm) options.observe({ model: served[network]!.model, mode, images: shape[0]!, times });
  };
  const { thread, device } = await firstThatRuns(served, options, observe);
  for (const each of served.slice(1, options.sessions)) {
    await thread.run(blackImages(each, "running")).catch(async (thrown) => {
      await thread.close();
      const { name, cellType } = each.model;
      throw PlatestreamError.from(thrown).at(`${name} ${cellType} does not run on ${device.provider}`);
    });
  }
  warm = true;
  return engineOn(thread, device, served, options);
};

/** Two, since the statistics of a batch need several values. */
const blackImages = (of: Served, mode: "running" | "batch" | "calibration"): Job => {
  const { channels, height, width } = of.network.architecture;
  const pixels = new Uint8Array(2 * channels * height * width);
  const images: Images = { pixels, shape: [2, channels, height, width], scale: [], offset: [], plates: [0, 0] };
  return jobFor(of, images, mode, mode === "running" ? of.running : undefined);
};

/** A card needs many images at a time to be busy. Processors are not faster with more than a request brings. */
const bestOnCards = 32;

const bestBatchOn = (provider: string, given: number | undefined): number =>
  given ?? (onProcessor.includes(provider) ? 0 : bestOnCards);

/** A provider runs when the first network does, on one but the CPU in all modes: there, each has to show that it is right. */
const firstThatRuns = async (
  served: readonly Served[],
  { runtime, provider, precision, threads, sessions, queue, queueBytes, bestBatch, sessionsPerThread }: EngineOptions,
  observe: (job: Job, times: ExecutionTimes) => void,
): Promise<{ thread: ComputingThread; device: Device }> => {
  const refused: { provider: string; reason: string }[] = [];
  const { providers } = await findRuntime(runtime);
  for (const candidate of provider === "auto" ? providers : [provider]) {
    const thread = startComputingThread({
      networks: served.map(({ network }) => network),
      ...{ runtime, provider: candidate, precision, threads },
      ...{ sessions, queue, queueBytes, sessionsPerThread, observe, bestBatch: bestBatchOn(candidate, bestBatch) },
    });
    try {
      await thread.run(blackImages(served[0]!, "running"));
      if (candidate !== "cpu") {
        for (const mode of ["batch", "calibration"] as const) await thread.run(blackImages(served[0]!, mode));
      }
      return {
        thread,
        device: {
          runtime,
          provider: candidate,
          precision,
          threads,
          refused,
          bestBatch: bestBatchOn(candidate, bestBatch),
        },
      };
    } catch (thrown) {
      await thread.close();
      if (provider !== "auto") throw thrown;
      refused.push({ provider: candidate, reason: PlatestreamError.from(thrown).rawMessage });
    }
  }
  const reasons = refused.map(({ provider, reason }) => `${provider}: ${reason}`);
  throw new PlatestreamError("invalid-model", listProblems("the network runs on no provider:", reasons));
};

const engineOn = (
  thread: ComputingThread,
  device: Device,
  served: readonly Served[],
  { maxBatch, statistics: most }: EngineOptions,
): Engine => {
  /** By version, cell type and id. */
  const known = new LRUCache<string, PackedStatistics>({ max: most });

  const calibrated = (of: Served, id: string, data?: Uint8Array): PackedStatistics => {
    const { version, cellType, name } = of.model;
    const key = `${version} ${cellType} ${id}`;
    const held = known.get(key);
    if (held !== undefined) return held;
    if (data === undefined || data.byteLength === 0) {
      throw new PlatestreamError(
        "unknown-statistics",
        `this worker does not hold the statistics "${id}" for ${name} ${cellType}; send the request again with their bytes`,
      );
    }
    const actual = statisticsId(data);
    if (actual !== id) {
      throw new PlatestreamError(
        "invalid-request",
        `the bytes of statistics "${id}" have the id "${actual}": they were changed or cut off on their way`,
      );
    }
    const layers = normLayers(of.network.architecture);
    const packed = packStatistics(layers, decodeStatistics(data, layers, of.model));
    known.set(key, packed);
    return packed;
  };

  const fixed = (of: Served, choice: Statistics): PackedStatistics | undefined => {
    if (choice.kind === "batch") return undefined;
    return choice.kind === "running" ? of.running : calibrated(of, choice.id, choice.data);
  };

  return {
    device,
    maxBatch,
    models: () => served.map(({ model }) => model),
    get waiting() {
      return thread.waiting;
    },
    async predict(choice, images, statistics, call) {
      const of = choose(served, choice);
      validateImages(of.model, images, maxBatch);
      if (statistics.kind === "batch") validateSpread(of, images);
      const packed = fixed(of, statistics);
      const job = jobFor(of, images, statistics.kind, packed);
      const { logits, features } = finite(of.model, await thread.run(job, call));
      return { model: of.model, statistics: statisticsName(statistics), logits: logits!, features: features! };
    },
    calibrate(choice, sourceWeight, signal) {
      const of = choose(served, choice);
      const { architecture, weights } = of.network;
      const layers = normLayers(architecture);
      if (!(sourceWeight >= 0 && Number.isFinite(sourceWeight))) {
        throw new PlatestreamError(
          "invalid-request",
          `source_weight is a number of images, 0 or more, not ${sourceWeight}`,
        );
      }
      const estimate = estimateStatistics(layers);
      return {
        model: of.model,
        async add(batch, transfer = false) {
          if ("data" in batch)
            return estimate.addEstimate(decodeStatistics(batch.data, layers, of.model), batch.images);
          const [count] = batch.shape;
          // Whatever the plate, the statistics are the same: only the classifier reads it.
          const images = { ...batch, plates: new Array<number>(count > 0 ? count : 0).fill(0) };
          validateImages(of.model, images, maxBatch);
          validateSpread(of, images);
          const job = jobFor(of, images, "calibration");
          const { mean, variance } = finite(of.model, await thread.run(job, { transfer, ...(signal && { signal }) }));
          estimate.add({ mean: mean!, variance: variance! }, count);
        },
        async finish() {
          const { id, data } = encodeStatistics(estimate.finish(weights, sourceWeight), of.model);
          calibrated(of, id, data);
          return { id, data, images: estimate.images };
        },
      };
    },
    close: () => thread.close(),
  };
};

const jobFor = (
  { index, network, input }: Served,
  { pixels, shape, scale, offset, plates }: Images,
  mode: JobMode,
  statistics?: PackedStatistics,
): Job => {
  const [images, channels] = shape;
  return {
    network: index,
    mode,
    pixelType: pixelTypeOf(pixels),
    pixels,
    shape,
    scale: perImage(scale.length === 0 ? input.scale : scale, images, channels),
    offset: perImage(offset.length === 0 ? input.offset : offset, images, channels),
    ...(network.architecture.plates > 0 ? { plate: oneHot(plates, network.architecture.plates) } : {}),
    ...(statistics === undefined ? {} : { statistics }),
  };
};

const pixelTypeOf = (pixels: Images["pixels"]): PixelType =>
  pixels instanceof Uint8Array ? "uint8" : pixels instanceof Uint16Array ? "uint16" : "float32";
