/** The worker's two services on the same engine: what stock clients pay for their protocol. */
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { clientOf } from "../common/grpc/protos.ts";
import { packageFile } from "../common/package-file.ts";
import { startLocalWorker } from "../pipeline/workers/local-worker.ts";
import type { GRPCInferenceServiceClient } from "../proto/types/inference/GRPCInferenceService.ts";
import type { WorkerClient } from "../proto/types/platestream/v1/Worker.ts";
import type { Bench } from "./figure.ts";
import { median } from "./run-chain.ts";

const shape = [32, 6, 64, 64];
const batchesPerTurn = 40;
const atATime = 2;
const turns = 9;
const pixels = Buffer.from(
  Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, at) => Math.imul(at, 2654435761) >>> 24),
);

type Send = (done: (error: ServiceError | null) => void) => void;

/** Images per second. */
const timed = async (send: Send): Promise<number> => {
  const started = performance.now();
  let left = batchesPerTurn;
  const lane = async () => {
    while (left-- > 0) {
      await new Promise<void>((resolve, reject) => send((error) => (error === null ? resolve() : reject(error))));
    }
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  return (shape[0]! * batchesPerTurn * 1000) / (performance.now() - started);
};

export const openInference: Bench = {
  name: "oip",
  description: "images/s of ModelInfer against Predict, the demo's network, batches of 32 images (at least 0.95)",
  async run(report) {
    const worker = await startLocalWorker(packageFile("models/demo"), () => undefined);
    const Inference = clientOf<GRPCInferenceServiceClient>("open_inference.proto", "inference.GRPCInferenceService");
    const Worker = clientOf<WorkerClient>("platestream.proto", "platestream.v1.Worker");
    const inference = new Inference(worker.address, credentials.createInsecure());
    const own = new Worker(worker.address, credentials.createInsecure());
    try {
      const inputs = [{ name: "pixels", datatype: "UINT8", shape }];
      const infer: Send = (done) =>
        inference.ModelInfer({ model_name: "demo.HUVEC", inputs, raw_input_contents: [pixels] }, done);
      const images = { pixels, shape, type: "UINT8" } as const;
      const predict: Send = (done) => own.Predict({ cell_type: "HUVEC", images, top: 0 }, done);
      const rates = { infer: [] as number[], predict: [] as number[] };
      for (const send of [infer, predict]) await timed(send);
      for (let turn = 0; turn < turns; turn++) {
        rates.predict.push(await timed(predict));
        rates.infer.push(await timed(infer));
      }
      // The median of the turns' ratios: what else the machine did weighs on both sides of each.
      const ratio = median(rates.infer.map((rate, turn) => rate / rates.predict[turn]!));
      const [value, reference] = [median(rates.infer), median(rates.predict)];
      report({ figure: "oip.predict", value, unit: "images/s", reference, ratio });
    } finally {
      inference.close();
      own.close();
      await worker.close();
    }
  },
};
