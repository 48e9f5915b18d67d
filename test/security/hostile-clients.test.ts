/** Clients that break the rules of HTTP/2, of the .proto files or of good manners. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials, Metadata, makeGenericClientConstructor, type ServiceError, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { openLink } from "../faults/cut-link.ts";
import { frame, preface } from "../kit/http2.ts";
import { clientOf, onePixel, startGuardedWorker } from "./guarded-worker.ts";

const [headers, settings, endHeaders] = [1, 4, 4];
const undecodable = Buffer.concat([
  preface,
  frame(settings, 0, 0),
  frame(headers, endHeaders, 1, Buffer.alloc(6, 255)),
]);

test("connections that break HTTP/2 leave no descriptor behind", { timeout: 90_000 }, async (t) => {
  const { address } = await startGuardedWorker(t);
  const [host, port] = address.split(":");
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let n = 0; n < 10; n++) {
    const socket = connectSocket(Number(port), host).on("error", () => undefined);
    await once(socket, "connect");
    socket.write(undecodable);
    await sleep(20);
    socket.destroy();
  }
  const started = Date.now();
  while (descriptors() > before + 2) {
    assert.ok(Date.now() - started < 60_000, `${descriptors() - before} descriptors are left`);
    await sleep(200);
  }
});

test("a call whose first message does not come ends", { timeout: 30_000 }, async (t) => {
  const { address } = await startGuardedWorker(t, { maxSilence: 1 });
  const client = await clientOf(t, address);
  await assert.rejects(client.streamEnds(), {
    code: status.DEADLINE_EXCEEDED,
    details:
      "no message came for 1 s after the call was opened; open it when there is something to send, or start the server with another --max-silence",
  });
});

test("a stream on which nothing moves any more ends", { timeout: 30_000 }, async (t) => {
  const { address } = await startGuardedWorker(t, { maxCallTime: 1 });
  const client = await clientOf(t, address);
  await assert.rejects(client.streamEnds(onePixel), {
    code: status.DEADLINE_EXCEEDED,
    details:
      "nothing was sent on this stream for 1 s; open it when there is something to send, or start the server with another --max-call-time",
  });
});

test("the calls of a client that is stopped end, and its address is served again", {
  timeout: 90_000,
}, async (t) => {
  const { address } = await startGuardedWorker(t, { maxCalls: 2 });
  const link = await openLink(address);
  t.after(link.close);
  const stopped = await clientOf(t, link.address);
  const held = [stopped.streamEnds(), stopped.streamEnds()].map((end) => end.catch(() => undefined));
  const other = await clientOf(t, address);
  const refused = () =>
    other.listModels({}).then(
      () => false,
      ({ code, message }: ServiceError) => {
        assert.equal(code, status.RESOURCE_EXHAUSTED, message);
        return true;
      },
    );
  while (!(await refused())) await sleep(50);
  link.freeze();
  const started = Date.now();
  while (await refused()) {
    assert.ok(Date.now() - started < 60_000, "the calls of a client that is stopped are held for 60 s");
    await sleep(500);
  }
  link.cut();
  await Promise.all(held);
});

test("more metadata than a call may have is refused in words; beyond HTTP/2's own limit the connection ends", {
  timeout: 30_000,
}, async (t) => {
  const { address } = await startGuardedWorker(t);
  const session = connectHttp2(`http://${address}`, { maxSendHeaderBlockLength: 2 ** 22 });
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  const ask = (bytes: number) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/platestream.v1.Worker/ListModels",
      "content-type": "application/grpc",
      te: "trailers",
      "x-long": "~".repeat(bytes / 3),
      "x-longer": "~".repeat(bytes / 3),
      "x-longest": "~".repeat(bytes / 3),
    });
    stream.on("error", () => undefined);
    stream.resume().end(Buffer.alloc(5));
    return new Promise<Record<string, unknown>>((resolve) => {
      stream
        .on("response", resolve)
        .on("trailers", resolve)
        .on("close", () => resolve({}));
    });
  };
  const said = await ask(90_000);
  assert.equal(said["grpc-status"], String(status.RESOURCE_EXHAUSTED));
  assert.match(
    decodeURIComponent(String(said["grpc-message"])),
    /the metadata of a call may take 65536 bytes, and this call brings 90\d{3};/,
  );
  assert.deepEqual(await ask(300_000), {});
  assert.ok(session.destroyed);
  await (await clientOf(t, address)).listModels({});
});

test("a client may watch the health so often, and call all the same", { timeout: 30_000 }, async (t) => {
  const { address } = await startGuardedWorker(t, { maxCalls: 2 });
  const health = new (makeGenericClientConstructor(healthService, "Health"))(address, credentials.createInsecure());
  t.after(() => health.close());
  const watch = () => {
    const call = health.watch!({ service: "" });
    const ended = new Promise<ServiceError>((resolve) => call.on("error", resolve));
    return { heard: new Promise((resolve) => call.once("data", resolve)), ended };
  };
  for (const { heard } of [watch(), watch()]) await heard;
  const { code, details } = await watch().ended;
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.match(details, /a client may have 2 calls under way here/);
  await (await clientOf(t, address)).listModels({});
});

test("bytes that are not a message are the client's mistake", { timeout: 30_000 }, async (t) => {
  const { address } = await startGuardedWorker(t);
  const client = new Client(address, credentials.createInsecure());
  t.after(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const send = (path: string) =>
    new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(path, same, same, Buffer.from("0affffffff", "hex"), new Metadata(), resolve),
    );
  for (const path of [
    "/platestream.v1.Worker/Predict",
    "/platestream.v1.Worker/ListModels",
    "/grpc.health.v1.Health/Check",
  ]) {
    const error = await send(path);
    assert.equal(error?.code, status.INVALID_ARGUMENT, path);
    assert.match(error.details, /^the message is not what the \.proto file says: /);
  }
  await (await clientOf(t, address)).listModels({});
});
