/**
 * A server of the Open Inference Protocol, such as NVIDIA Triton, that holds a network which `pipeline model export
 * --repository` wrote.
 *
 * Such a server knows neither domains nor calibration. It computes what a batch's statistics are; they are averaged and
 * blended here, in the arithmetic of our own workers, and are inputs of every prediction.
 */
import { LRUCache } from "lru-cache";
import { PlatestreamError } from "../../common/errors.ts";
import { aboutTensors, type ExportedNetwork, type ExportedTask, readExported } from "../../common/exported-network.ts";
import { type Statistics, statisticsName } from "../../common/inference.ts";
import { finite, validateImages } from "../../common/network-inputs.ts";
import {
  decodeStatistics,
  encodeStatistics,
  estimateStatistics,
  type PackedStatistics,
  packStatistics,
  type StatisticsEstimate,
  statisticsCount,
  unpackStatistics,
} from "../../common/norm-statistics.ts";
import { imageTensors, statisticsTensors } from "./open-inference-inputs.ts";
import type { PixelDatatype } from "./open-inference-models.ts";
import { type Answer, inferenceServer, type OpenInferenceOptions } from "./open-inference-server.ts";
import type { Tensor } from "./open-inference-tensors.ts";
import type { RemoteWorker, RequestOptions, WorkerInfo } from "./remote-worker.ts";

/** What a server has told of its network. */
interface Held extends ExportedNetwork {
  readonly trained: PackedStatistics;
  readonly pixels: PixelDatatype;
}

/** Calibrated statistics that are kept, unpacked. DenseNet-121: 0.7 MB each. */
const statisticsKept = 64;

/** `address`: triton://HOST:PORT/MODEL. Connects when it is first asked. Throws "invalid-config" where it is none. */
export const openInferenceWorker = (address: string, given: Partial<OpenInferenceOptions> = {}): RemoteWorker => {
  const server = inferenceServer(address, given);
  let held: Held | undefined;
  let batchChecked: Held | undefined;
  const calibrated = new LRUCache<string, PackedStatistics>({ max: statisticsKept });

  const info = async (options: RequestOptions): Promise<WorkerInfo> => {
    for (const task of ["predict", "calibrate", "about"] as const) await server.needReady(task, options);
    const { name, shape } = aboutTensors.input;
    const about = await server.infer("about", [{ name, shape, data: Uint8Array.of(0) }], aboutTensors.outputs, options);
    const network = readExported(
      about.bytes("network"),
      `worker ${address}: what ${server.modelName}.about says of the network`,
    );
    const values = statisticsCount(network.layers);
    const pixels = await server.check(network, "predict", options);
    await server.check(network, "calibrate", options);
    const trained = { mean: about.floats("trained_mean", values), variance: about.floats("trained_variance", values) };
    held = { ...network, trained, pixels };
    const runtime = await server.name(options);
    return { models: [network.model], runtime, bestBatch: 0, pixels: "socket" };
  };

  const network = async (options: RequestOptions): Promise<Held> => {
    if (held === undefined) await info(options);
    return held!;
  };

  /** Runs a batch. Throws "worker-unavailable" where the server holds another version by now; it is asked anew then. */
  const compute = async (
    of: Held,
    task: Exclude<ExportedTask, "about">,
    inputs: readonly Tensor[],
    outputs: readonly string[],
    options: RequestOptions,
  ): Promise<Answer> => {
    const answer = await server.infer(task, inputs, [...outputs, "version"], options);
    const version = Buffer.from(answer.bytes("version")).toString("utf8");
    if (version === of.model.version) return answer;
    held = undefined;
    throw new PlatestreamError(
      "worker-unavailable",
      `worker ${address} answered with version ${version} of a network, and held ${of.model.version}`,
    );
  };

  const packed = ({ model, layers, trained }: Held, statistics: Statistics): PackedStatistics => {
    if (statistics.kind !== "calibrated") return trained;
    const { id, data } = statistics;
    const known = calibrated.get(`${model.version} ${id}`);
    if (known !== undefined) return known;
    if (data === undefined) {
      throw new PlatestreamError("unknown-statistics", `worker ${address} was not sent the statistics "${id}"`);
    }
    const read = packStatistics(layers, decodeStatistics(data, layers, model));
    calibrated.set(`${model.version} ${id}`, read);
    return read;
  };

  const estimated = ({ model, layers, trained }: Held, estimate: StatisticsEstimate, sourceWeight: number) => {
    const statistics = estimate.finish(unpackStatistics(layers, trained), sourceWeight);
    return { kind: "calibrated", ...encodeStatistics(statistics, model) } as const;
  };

  return {
    address,
    info,
    async predict(_, images, statistics, given) {
      const options = within(given);
      const of = await network(options());
      validateImages(of.model, images, Number.POSITIVE_INFINITY);
      const own = statistics.kind === "batch";
      if (own && batchChecked !== of) {
        await server.check(of, "batch", options());
        batchChecked = of;
      }
      const inputs = [...imageTensors(of, images), ...(own ? [] : statisticsTensors(packed(of, statistics)))];
      const answer = await compute(of, own ? "batch" : "predict", inputs, ["logits", "features"], options());
      const [count] = images.shape;
      const { logits, features } = finite(of.model, {
        logits: answer.floats("logits", count * of.model.classes.length),
        features: answer.floats("features", count * of.model.featureCount),
      });
      return { model: of.model, statistics: statisticsName(statistics), logits, features };
    },
    async calibrate(_, batches, sourceWeight, given) {
      const options = within(given);
      const of = await network(options());
      const estimate = estimateStatistics(of.layers);
      const values = statisticsCount(of.layers);
      for (const batch of batches) {
        // Whatever the plate, the statistics are the same: only the classifier reads it.
        const images = { ...batch, plates: new Array<number>(batch.shape[0]).fill(0) };
        validateImages(of.model, images, Number.POSITIVE_INFINITY);
        const answer = await compute(of, "calibrate", imageTensors(of, images), ["mean", "variance"], options());
        const { mean, variance } = finite(of.model, {
          mean: answer.floats("mean", values),
          variance: answer.floats("variance", values),
        });
        estimate.add({ mean, variance }, batch.shape[0]);
      }
      return estimated(of, estimate, sourceWeight);
    },
    async combine(_, estimates, sourceWeight, given) {
      const of = await network(given);
      const estimate = estimateStatistics(of.layers);
      for (const { data, images } of estimates) {
        estimate.addEstimate(decodeStatistics(data, of.layers, of.model), images);
      }
      return estimated(of, estimate, sourceWeight);
    },
    holds: () => false,
    close: () => server.close(),
  };
};

/** The time that is left of a request, however many calls it takes. */
const within = (options: RequestOptions): (() => RequestOptions) => {
  const until = Date.now() + options.deadlineMs;
  return () => ({ ...options, deadlineMs: until - Date.now() });
};
