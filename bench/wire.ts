import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Images } from "../common/inference.ts";
import { type PlatestreamWorkerOptions, platestreamWorker } from "../pipeline/workers/platestream-worker.ts";
import type { Bench } from "./figure.ts";
import { median } from "./run-chain.ts";

/** 6x512x512, 8 bit: 25 MB. */
const images = 16;
const batchesPerTurn = 16;
const turns = 5;
/** As many as the pipeline has under way with two workers. */
const requestsAtATime = 4;

const options = { signal: new AbortController().signal, deadlineMs: 60_000 };
const shape = [images, 6, 512, 512] as const;
const bytes = shape.reduce((product, each) => product * each, 1);

const paths: Readonly<Record<string, Partial<PlatestreamWorkerOptions>>> = {
  "one-channel": { connections: 1, sharedMemory: undefined },
  "two-channels": { connections: 2, sharedMemory: undefined },
  "four-channels": { connections: 4, sharedMemory: undefined },
  "same-host": {},
};

const withWorkerProcess = async (use: (address: string) => Promise<void>): Promise<void> => {
  const program = fileURLToPath(new URL("./wire-process.js", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [line] = await once(child.stdout, "data", { signal: AbortSignal.timeout(60_000) });
    await use(String(line).trim());
  } finally {
    child.stdin.end();
  }
};

const gigabytesPerSecond = async (work: () => Promise<void>): Promise<number> => {
  const started = performance.now();
  await work();
  return (bytes * batchesPerTurn) / 1e6 / (performance.now() - started);
};

/** The same bytes from one place of this process' memory to another, by one core. */
const copying = (from: Uint8Array, to: Uint8Array) => async (): Promise<void> => {
  for (let batch = 0; batch < batchesPerTurn; batch++) to.set(from);
};

const sending = async (address: string, given: Partial<PlatestreamWorkerOptions>, pixels: Uint8Array) => {
  const worker = platestreamWorker(address, given);
  await worker.info(options);
  const batch: Images = { pixels, shape, scale: [], offset: [], plates: [] };
  const send = async (): Promise<void> => {
    let left = batchesPerTurn;
    const lane = async () => {
      while (left-- > 0) await worker.predict({ cellType: "bench" }, batch, { kind: "running" }, options);
    };
    await Promise.all(Array.from({ length: requestsAtATime }, lane));
  };
  await send();
  return { send, close: () => worker.close() };
};

export const wire: Bench = {
  name: "wire",
  description:
    "GB/s of pixels from a node's memory to a worker's, by each way that they can take, against copying them within a process " +
    "(wire.same-host at least 2 GB/s on 2 cores)",
  async run(report, log) {
    const pixels = Uint8Array.from({ length: bytes }, (_, index) => Math.imul(index, 2654435761) >>> 24);
    const copy = copying(pixels, new Uint8Array(bytes));
    await copy();
    await withWorkerProcess(async (address) => {
      for (const [name, given] of Object.entries(paths)) {
        const { send, close } = await sending(address, given, pixels);
        const both: { readonly value: number; readonly reference: number }[] = [];
        for (let turn = 0; turn < turns; turn++) {
          both.push({ reference: await gigabytesPerSecond(copy), value: await gigabytesPerSecond(send) });
        }
        close();
        const [value, reference] = [median(both.map((each) => each.value)), median(both.map((each) => each.reference))];
        log(`${name}: ${((value * 1e9) / (6 * 512 * 512)) | 0} images/s of 6x512x512 in 8 bit`);
        const ratio = median(both.map((each) => each.value / each.reference));
        report({ figure: `wire.${name}`, value, unit: "GB/s", reference, ratio });
      }
    });
  },
};
