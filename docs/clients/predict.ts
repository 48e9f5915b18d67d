// Asks a worker for the class of every site of a plate, with the statistics of that plate.
//
//   npx jiti predict.ts 127.0.0.1:7411 HUVEC images/train/HUVEC-18/Plate1
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import sharp from "sharp";

const [address, cellType, folder] = process.argv.slice(2) as [string, string, string];
const proto = fileURLToPath(import.meta.resolve("platestream/proto/platestream.proto"));
const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, defaults: true }));
const { Worker } = (loaded as unknown as { platestream: { v1: { Worker: ServiceClientConstructor } } }).platestream.v1;
const worker = new Worker(address, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });

// A site is an image with one file per channel: B02_s1_w1.png, B02_s1_w2.png, …
const files = (await readdir(folder)).filter((name) => /_w\d+\.png$/.test(name)).sort();
const sites = [...new Set(files.map((name) => name.replace(/_w\d+\.png$/, "")))];

/** Pixels of some sites one after the other, each channel by channel. */
const imagesOf = async (batch: string[]) => {
  const names = files.filter((name) => batch.includes(name.replace(/_w\d+\.png$/, "")));
  const planes = names.map((name) =>
    sharp(join(folder, name)).extractChannel(0).raw().toBuffer({ resolveWithObject: true }),
  );
  const decoded = await Promise.all(planes);
  const { width, height } = decoded[0]!.info;
  const shape = [batch.length, names.length / batch.length, height, width];
  return { pixels: Buffer.concat(decoded.map(({ data }) => data)), shape };
};

const batches: string[][] = [];
for (let from = 0; from < sites.length; from += 32) batches.push(sites.slice(from, from + 32));

// 64 images of the plate are a good sample for its statistics.
const statistics = await new Promise<{ id: string }>((resolve, reject) => {
  const call = worker.Calibrate!((error: Error | null, answer: { id: string }) =>
    error ? reject(error) : resolve(answer),
  );
  const send = async () => {
    for (const batch of batches.slice(0, 2)) call.write({ cell_type: cellType, images: await imagesOf(batch) });
    call.end();
  };
  send().catch(reject);
});

interface Answer {
  top: { treatment: string[]; probability: number[] }[];
}
for (const batch of batches) {
  const request = {
    cell_type: cellType,
    images: await imagesOf(batch),
    statistics: { calibrated: { id: statistics.id } },
    top: 1,
  };
  const { top } = await new Promise<Answer>((resolve, reject) =>
    worker.Predict!(request, (error: Error | null, answer: Answer) => (error ? reject(error) : resolve(answer))),
  );
  for (const [n, { treatment, probability }] of top.entries())
    console.log(batch[n], treatment[0], probability[0]!.toFixed(3));
}
worker.close();
