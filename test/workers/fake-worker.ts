/** A worker behind real gRPC whose network is one line, and which fails as a test asks it to. */
import type { TestContext } from "node:test";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { type ErrorCode, errorCodes } from "../../common/errors.ts";
import { loadProtos } from "../../common/grpc/protos.ts";
import type { Images } from "../../common/inference.ts";

export interface WireRequest {
  readonly model: string;
  readonly cell_type: string;
  readonly images: {
    readonly id: string;
    readonly pixels: Buffer;
    readonly type: string;
    readonly shape: number[];
    readonly scale: number[];
    readonly offset: number[];
  };
  readonly statistics: { readonly kind: string; readonly calibrated?: { readonly id: string; readonly data: Buffer } };
  readonly plates: number[];
  readonly source_weight: number;
  readonly estimate: { readonly data: Buffer; readonly images: number } | null;
}

export interface FakeWorker {
  readonly address: string;
  readonly port: number;
  /** Requests to predict, in the order in which they came. */
  readonly predictions: WireRequest[];
  readonly calibrations: WireRequest[][];
  /** How many predictions were under way at a time, at most. */
  peak: number;
  /** Ids of the statistics that it holds. */
  readonly held: Set<string>;
  /** Images of calibrations that it holds, by name. */
  readonly images: Map<string, Buffer>;
  cancelled: number;
  /** Called before each prediction is answered; what it throws is answered instead. */
  before: () => Promise<void> | void;
  version: string;
  setHealth(status: "SERVING" | "NOT_SERVING"): void;
  die(): void;
}

export const wireError = (code: ErrorCode, details: string, metadata = true): Partial<StatusObject> => {
  const sent = new Metadata();
  if (metadata) sent.set("platestream-code", code);
  return { code: errorCodes[code].grpc, details, metadata: sent };
};

export interface FakeOptions {
  readonly port?: number;
  readonly cellTypes?: readonly string[];
  readonly plates?: number;
  /** That its network reads; synthetic experiments have 6. */
  readonly channels?: number;
  /** Images that it says it computes at a time. */
  readonly bestBatch?: number;
}

/** Logits of an image are its first pixel and the number of images; its feature is the sum of its pixels. */
export const startFakeWorker = async (t: TestContext, options: FakeOptions = {}): Promise<FakeWorker> => {
  const { port: wanted = 0, cellTypes = ["HUVEC"], plates = 0, channels = 1, bestBatch = 0 } = options;
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  const health = new HealthImplementation({ "": "SERVING" });
  let inFlight = 0;

  const fake = {
    predictions: [] as WireRequest[],
    calibrations: [] as WireRequest[][],
    peak: 0,
    held: new Set<string>(),
    images: new Map<string, Buffer>(),
    cancelled: 0,
    before: () => undefined as unknown,
    version: "v1",
    setHealth: (status: "SERVING" | "NOT_SERVING") => health.setStatus("", status),
    die: () => server.forceShutdown(),
  };

  const predict = async (request: WireRequest) => {
    fake.predictions.push(request);
    const { calibrated } = request.statistics;
    if (calibrated !== undefined && calibrated.data.length > 0) fake.held.add(calibrated.id);
    if (calibrated !== undefined && !fake.held.has(calibrated.id)) throw wireError("unknown-statistics", "not here");
    await fake.before();
    const { id, shape } = request.images;
    const pixels = id === "" ? request.images.pixels : fake.images.get(id);
    if (pixels === undefined) throw wireError("unknown-images", "not here");
    fake.images.delete(id);
    const [images = 0] = shape;
    const length = pixels.length / images;
    const logits = Float32Array.from({ length: 2 * images }, (_, i) =>
      i % 2 === 0 ? pixels[(i / 2) * length]! : images,
    );
    const features = Float32Array.from({ length: images }, (_, i) =>
      pixels.subarray(i * length, (i + 1) * length).reduce((sum, value) => sum + value, 0),
    );
    return {
      model: "fake",
      model_version: fake.version,
      statistics_id: calibrated?.id ?? request.statistics.kind,
      classes: 2,
      feature_count: 1,
      logits: Buffer.from(logits.buffer),
      features: Buffer.from(features.buffer),
    };
  };

  const handlers = {
    Predict(call: ServerUnaryCall<WireRequest, unknown>, answer: sendUnaryData<unknown>) {
      inFlight += 1;
      fake.peak = Math.max(fake.peak, inFlight);
      call.on("cancelled", () => {
        fake.cancelled += 1;
      });
      predict(call.request)
        .then(
          (response) => answer(null, response),
          (error) => answer(error),
        )
        .finally(() => {
          inFlight -= 1;
        });
    },
    Calibrate(call: ServerReadableStream<WireRequest, unknown>, answer: sendUnaryData<unknown>) {
      const batches: WireRequest[] = [];
      call.on("data", (batch: WireRequest) => {
        batches.push(batch);
        if (batch.images) fake.images.set(batch.images.id, batch.images.pixels);
      });
      call.on("error", () => undefined);
      call.on("end", async () => {
        fake.calibrations.push(batches);
        const images = batches.reduce((sum, { images, estimate }) => sum + (estimate?.images ?? images.shape[0]!), 0);
        const id = `of-${images}`;
        try {
          await fake.before();
          fake.held.add(id);
          answer(null, { id, data: Buffer.from([1, 2, 3]), images, model_version: fake.version });
        } catch (error) {
          answer(error as Partial<StatusObject>);
        }
      });
    },
    ListModels(_: unknown, answer: sendUnaryData<unknown>) {
      const models = cellTypes.map((cell_type) => ({
        name: "fake",
        version: fake.version,
        cell_type,
        trained: true,
        classes: ["0", "1"],
        controls: [1],
        plate_groups: [{ classes: [0] }],
        channels,
        height: 2,
        width: 2,
        plates,
        feature_count: 1,
        confidence: { temperature: 2, slope: 1, offset: 0, wells: 50 },
        serving: {
          domain: "experiment",
          min_images: 0,
          batch: 12,
          calibration_images: 64,
          source_weight: 0,
          normalize: "none",
          all_views: true,
          sites: "logits",
        },
      }));
      answer(null, { models, runtime: "fake", provider: "cpu", max_batch: 64, best_batch: bestBatch });
    },
  };
  const { PredictStream: _, ...service } = loadProtos("platestream.proto")[
    "platestream.v1.Worker"
  ] as ServiceDefinition;
  server.addService(service, handlers);
  health.addToServer(server);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  t.after(() => server.forceShutdown());
  return Object.assign(fake, { address: `127.0.0.1:${port}`, port }) as FakeWorker;
};

/** Images of 2 x 2 pixels whose first pixels are given. */
export const batchOf = (...levels: number[]): Images => ({
  pixels: Uint8Array.from(levels.flatMap((level) => [level, 1, 1, 1])),
  shape: [levels.length, 1, 2, 2],
  scale: [],
  offset: [],
  plates: levels.map(() => 3),
});
