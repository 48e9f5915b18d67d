/** Pixels through shared memory, between a real worker and the client of it; and who gets at what in it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ClientReadableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { clientOf } from "../../common/grpc/protos.ts";
import { openToThisHost } from "../../common/grpc/server-security.ts";
import type { Images } from "../../common/inference.ts";
import { openMetrics } from "../../common/observe/metrics.ts";
import { ownSharedFolder, sharedMemoryFolder } from "../../common/shared-memory.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { workerMetrics } from "../../gpu-worker/services/worker-metrics.ts";
import { type PlatestreamWorkerOptions, platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { openSharedPixels } from "../../pipeline/workers/shared-pixels.ts";
import type { PredictRequest } from "../../proto/types/platestream/v1/PredictRequest.ts";
import type { ShareMemoryResponse__Output } from "../../proto/types/platestream/v1/ShareMemoryResponse.ts";
import type { WorkerClient } from "../../proto/types/platestream/v1/Worker.ts";
import { assertClose } from "../gpu-worker/parity-case.ts";
import { pixelsOf, tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";

const options = { signal: new AbortController().signal, deadlineMs: 20_000 };
const choice = { cellType: "HUVEC" };
const imageBytes = 6 * 32 * 32;

/** A folder in shared memory that is this test's own. */
const sharedRoot = (t: TestContext): string => {
  const root = mkdtempSync(join(sharedMemoryFolder, "test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
};

const setup = async (t: TestContext, given: Partial<PlatestreamWorkerOptions> = {}, mostBytes = 2 ** 20) => {
  const sharedMemory = sharedRoot(t);
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const metrics = openMetrics();
  const numbers = workerMetrics(metrics);
  const limits = { ...openToThisHost.limits, maxMessageBytes: mostBytes };
  const server = await startServer(engine, {
    listen: "127.0.0.1:0",
    sharedMemory,
    security: { ...openToThisHost, limits },
    observe: numbers.request,
  });
  t.after(() => server.close(1_000));
  const worker = platestreamWorker(server.address, { sharedMemory, ...given });
  t.after(() => worker.close());
  const Client = clientOf<WorkerClient>("platestream.proto", "platestream.v1.Worker");
  const client = new Client(server.address, credentials.createInsecure());
  t.after(() => client.close());
  return { sharedMemory, server, worker, client, metrics };
};

const batch = (from: number, to: number): Images => ({
  pixels: pixelsOf(tiny, from, to),
  shape: [to - from, 6, 32, 32],
  scale: [],
  offset: [],
  plates: [],
});

/** Files in shared memory that this process holds open, whether they still have a name or not. */
const openFiles = (root: string): string[] =>
  readdirSync("/proc/self/fd").flatMap((file) => {
    try {
      return [readlinkSync(`/proc/self/fd/${file}`)].filter((path) => path.startsWith(root));
    } catch {
      return [];
    }
  });

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 500, `not within 10 s: ${what}`);
    await sleep(20);
  }
};

test("pixels go through shared memory, calibration too, and give the same as through a socket", async (t) => {
  const { sharedMemory, server, worker, metrics } = await setup(t);
  const { pixels } = await worker.info(options);
  assert.equal(pixels, "shared-memory");
  assert.deepEqual(readdirSync(ownSharedFolder(sharedMemory)), [], "the file has no name any more");

  const running = await worker.predict(choice, batch(0, 8), { kind: "running" }, options);
  assertClose(running.logits, tiny.expected("running.logits").slice(0, running.logits.length), "logits");
  const batches = [batch(0, 8), batch(8, 16), batch(16, 24)];
  const statistics = await worker.calibrate(choice, batches, 0, options);
  const calibrated = await worker.predict(choice, batch(24, 32), statistics, options);
  const kept = await worker.predict(choice, batches[1]!, statistics, options);

  const sending = platestreamWorker(server.address, { sharedMemory: undefined });
  t.after(() => sending.close());
  assert.equal((await sending.info(options)).pixels, "socket");
  const sent = await sending.calibrate(choice, [batch(0, 8), batch(8, 16), batch(16, 24)], 0, options);
  assert.equal(statistics.id, sent.id);
  assert.deepEqual(calibrated.logits, (await sending.predict(choice, batch(24, 32), sent, options)).logits);
  assert.deepEqual(kept.logits, (await sending.predict(choice, batch(8, 16), sent, options)).logits);

  assert.deepEqual(server.received, { "shared-memory": 40 * imageBytes, socket: 40 * imageBytes });
  const text = await metrics.text();
  assert.match(text, new RegExp(`platestream_worker_pixel_bytes_total\\{path="shared-memory"\\} ${40 * imageBytes}`));
});

test("16-bit pixels go through shared memory as they are", async (t) => {
  const { server, worker } = await setup(t);
  await worker.info(options);
  const bytes = batch(0, 8);
  const wide: Images = {
    ...bytes,
    pixels: Uint16Array.from(bytes.pixels, (value) => value * 257),
    scale: new Array(6).fill(1 / 65_535),
    offset: new Array(6).fill(0),
  };
  const { logits } = await worker.predict(choice, wide, { kind: "running" }, options);
  assertClose(logits, tiny.expected("running.logits").slice(0, logits.length), "logits");
  assert.equal(server.received["shared-memory"], 16 * imageBytes);
});

test("when the worker has lost the memory, pixels are sent; when it is asked again, they are shared again", async (t) => {
  const { server, worker, sharedMemory } = await setup(t);
  await worker.info(options);
  const held = openFiles(sharedMemory);
  assert.equal(held.length, 2, "the worker and its client are one process here");
  await server.close(1_000);
  await until("both let go of the file", () => openFiles(sharedMemory).length === 0);
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const again = await startServer(engine, { listen: server.address, sharedMemory });
  t.after(() => again.close(1_000));
  await worker.predict(choice, batch(0, 8), { kind: "running" }, options);
  assert.deepEqual(again.received, { socket: 8 * imageBytes, "shared-memory": 0 });
  assert.equal((await worker.info(options)).pixels, "shared-memory");
  await worker.predict(choice, batch(0, 8), { kind: "running" }, options);
  assert.equal(again.received["shared-memory"], 8 * imageBytes);
});

test("a worker that sees another /dev/shm is sent pixels", async (t) => {
  const { server, worker } = await setup(t, { sharedMemory: sharedRoot(t) });
  assert.equal((await worker.info(options)).pixels, "socket");
  await worker.predict(choice, batch(0, 8), { kind: "running" }, options);
  assert.deepEqual(server.received, { socket: 8 * imageBytes, "shared-memory": 0 });
});

test("where somebody else may look into the folder, it is not used", async (t) => {
  const { sharedMemory, worker } = await setup(t);
  chmodSync(ownSharedFolder(sharedMemory), 0o755);
  assert.equal((await worker.info(options)).pixels, "socket");
});

test("batches beyond the room of shared memory are sent", async (t) => {
  const pixels = openSharedPixels(sharedRoot(t), 2 ** 20);
  t.after(() => pixels.close());
  const large = new Uint8Array(400_000);
  const [first, second, third] = [pixels.put(large), pixels.put(large), pixels.put(large)];
  assert.ok(first !== undefined && second !== undefined, "two fit into 1 MiB");
  assert.equal(third, undefined);
  first.release();
  assert.equal(pixels.put(large)?.offset, first.offset, "what is released is used again");
});

test("a worker opens what its user has made in its own folder, and nothing else", async (t) => {
  const { sharedMemory, client } = await setup(t);
  const own = ownSharedFolder(sharedMemory);
  const outside = join(sharedMemory, "secret");
  writeFileSync(outside, "x".repeat(64));
  const name = (digit: string) => digit.repeat(32);
  symlinkSync(outside, join(own, name("a")));
  mkdirSync(join(own, name("b")));
  writeFileSync(join(own, name("c")), "short");
  const answer = (asked: string): Promise<string> =>
    new Promise((resolve) => {
      const call: ClientReadableStream<ShareMemoryResponse__Output> = client.shareMemory({ name: asked });
      call.on("data", () => resolve("opened"));
      call.on("error", (error: ServiceError) => resolve(error.details));
    });
  for (const [asked, told] of [
    ["../secret", /is not a name of 32 hexadecimal digits/],
    [outside, /is not a name of 32 hexadecimal digits/],
    ["", /is not a name of 32 hexadecimal digits/],
    [name("a"), /cannot be opened: ELOOP/],
    [name("b"), /is not a file of the user/],
    [name("c"), /ends before what it is said to hold/],
    [name("d"), /cannot be opened: ENOENT/],
  ] as const) {
    assert.match(await answer(asked), told, asked);
  }
  assert.deepEqual(openFiles(sharedMemory), []);
});

test("what shared memory is said to hold is checked before it is read, and after", async (t) => {
  const { client, sharedMemory } = await setup(t);
  const pixels = openSharedPixels(sharedMemory);
  t.after(() => pixels.close());
  const call = client.shareMemory({ name: pixels.name });
  call.on("error", () => undefined);
  t.after(() => call.cancel());
  const [{ beginning }] = (await once(call, "data", { signal: AbortSignal.timeout(10_000) })) as [
    ShareMemoryResponse__Output,
  ];
  assert.deepEqual(beginning, pixels.beginning);
  const { name, offset, bytes, turn } = pixels.put(pixelsOf(tiny, 0, 8))!;
  const place = { name, offset, bytes, turn };
  const predict = (shared: object, more: object = {}): Promise<string> =>
    new Promise((resolve) => {
      const images = { type: "UINT8", shape: [8, 6, 32, 32], shared, ...more } as PredictRequest["images"];
      client.predict({ images: images! }, (error: ServiceError | null) => resolve(error?.details ?? "answered"));
    });
  assert.equal(await predict(place), "answered");
  for (const [changed, told] of [
    [{ name: "0".repeat(32) }, /does not share the memory/],
    [{ turn: turn + 1 }, /are others by now/],
    [{ offset: 2 ** 30 }, /has \d+ bytes, the pixels end at/],
    [{ bytes: 2 ** 21 }, /pixels take at most 1048576 bytes here/],
    [{ bytes: bytes - 1 }, /needs 49152 bytes of pixels, there are 49151/],
  ] as const) {
    assert.match(await predict({ ...place, ...changed }), told, JSON.stringify(changed));
  }
  assert.match(await predict(place, { pixels: Buffer.of(1) }), /not in both/);
});

/** A process that shares memory with a worker and then waits. */
const client = `
  import { platestreamWorker } from ${JSON.stringify(new URL("../../pipeline/workers/platestream-worker.js", import.meta.url))};
  const [address, sharedMemory] = process.argv.slice(1);
  const worker = platestreamWorker(address, { sharedMemory });
  const { pixels } = await worker.info({ signal: new AbortController().signal, deadlineMs: 20000 });
  process.stdout.write(pixels);`;

test("nothing is left behind by a client that is killed", async (t) => {
  const { server, sharedMemory } = await setup(t);
  const child: ChildProcess = spawn(
    process.execPath,
    ["--input-type=module", "-e", client, server.address, sharedMemory],
    { stdio: ["ignore", "pipe", "inherit"], cwd: fileURLToPath(new URL(".", import.meta.url)) },
  );
  t.after(() => child.kill("SIGKILL"));
  const [said] = await once(child.stdout!, "data", { signal: AbortSignal.timeout(20_000) });
  assert.equal(String(said), "shared-memory");
  assert.equal(openFiles(sharedMemory).length, 1, "the worker's");
  child.kill("SIGKILL");
  await until("the worker lets go of the file", () => openFiles(sharedMemory).length === 0);

  // One that was killed while it still had a name goes with the next client.
  const left = join(ownSharedFolder(sharedMemory), "f".repeat(32));
  writeFileSync(left, "");
  utimesSync(left, new Date(0), new Date(0));
  openSharedPixels(sharedMemory).close();
  assert.ok(!existsSync(left));
});
