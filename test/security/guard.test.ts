import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { clientOf, onePixel, startGuardedWorker, writeTokens } from "./guarded-worker.ts";

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(5);
};

test("a token opens the calls of its role; reflection takes any token, health none", async (t) => {
  const { file, tokenOf } = await writeTokens(t);
  const { address, refused } = await startGuardedWorker(t, { tokens: file });
  const allowed = await clientOf(t, address, { tokenFile: tokenOf("predict") });
  await allowed.listModels({});
  const other = await clientOf(t, address, { tokenFile: tokenOf("subscribe") });
  await assert.rejects(other.listModels({}), {
    code: status.PERMISSION_DENIED,
    details: "this call needs a token with the role predict, and that of the subscribe client has subscribe",
  });
  const nobody = await clientOf(t, address);
  await assert.rejects(nobody.listModels({}), { code: status.UNAUTHENTICATED, details: /asks for a token/ });
  await nobody.health({ service: "" });
  assert.ok((await other.reflect()).includes("platestream.v1.Worker"));
  await assert.rejects(nobody.reflect(), { code: status.UNAUTHENTICATED });
  assert.deepEqual(
    refused.map(({ method, error }) => [method, error?.code]),
    [
      ["ListModels", "permission-denied"],
      ["ListModels", "unauthenticated"],
      ["ServerReflectionInfo", "unauthenticated"],
    ],
  );
  for (const { from } of refused) assert.match(from!, /^127\.0\.0\.1:\d+$/);
});

test("the pipeline's client shows its token, and says what is wrong with it", async (t) => {
  const { file, tokenOf } = await writeTokens(t);
  const { address } = await startGuardedWorker(t, { tokens: file });
  const token = await readFile(tokenOf("predict"), "utf8");
  const info = async (PLATESTREAM_TOKEN: string) => {
    const worker = platestreamWorker(address, { security: await readClientSecurity({}, { PLATESTREAM_TOKEN }) });
    t.after(() => worker.close());
    return worker.info({ signal: new AbortController().signal, deadlineMs: 5_000 });
  };
  assert.equal((await info(token)).runtime, "none none");
  await assert.rejects(info(""), {
    message: `[unauthenticated] worker ${address}: this server asks for a token: send it as \`authorization: Bearer TOKEN\``,
  });
  await assert.rejects(info("wrong"), /\[unauthenticated\] worker .* does not know the token/);
  await assert.rejects(info("two words"), /\[invalid-config\] PLATESTREAM_TOKEN must hold a token/);
});

test("a token does not travel unencrypted to other hosts, unless asked to", async (t) => {
  const { tokenOf } = await writeTokens(t);
  const options = { tokenFile: tokenOf("predict") };
  const security = await readClientSecurity(options, {});
  assert.throws(
    () => security.toServer("gpu1:7411"),
    /\[invalid-config\] a token is given, and gpu1:7411 would be reached unencrypted/,
  );
  security.toServer("[::1]:7411");
  (await readClientSecurity({ ...options, insecure: true }, {})).toServer("gpu1:7411");
  (await readClientSecurity({ ...options, tlsCa: "system" }, {})).toServer("gpu1:7411");
  (await readClientSecurity({}, {})).toServer("gpu1:7411");
  const empty = join(await temporaryFolder(t), "empty");
  await writeFile(empty, "\n");
  await assert.rejects(readClientSecurity({ tokenFile: empty }, {}), /--token-file .* must hold a token/);
  await assert.rejects(readClientSecurity({ tokenFile: "/no/such" }, {}), /--token-file \/no\/such cannot be read/);
});

test("a client has so many calls under way, over all its connections", async (t) => {
  const worker = await startGuardedWorker(t, { maxCalls: 3 });
  const [one, other] = [await clientOf(t, worker.address), await clientOf(t, worker.address)];
  const stop = new AbortController();
  const calls = [one.predict(onePixel), ...[1, 2].map(() => other.predict(onePixel, stop.signal))];
  for (const call of calls) call.catch(() => undefined);
  await until(() => worker.waiting === 3);
  await assert.rejects(one.predict(onePixel), (error: { code: number; details: string }) => {
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    assert.match(error.details, /a client may have 3 calls under way here/);
    return true;
  });
  await one.health({ service: "" });
  stop.abort();
  await until(() => worker.waiting === 1);
  await one.listModels({});
});

test("clients are distinguished by their tokens, and one does not use up another's calls", async (t) => {
  const { file, tokenOf } = await writeTokens(t);
  const tokens = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify(tokens.map((entry: object) => ({ ...entry, roles: ["predict"] }))));
  const worker = await startGuardedWorker(t, { tokens: file, maxCalls: 1 });
  const greedy = await clientOf(t, worker.address, { tokenFile: tokenOf("predict") });
  const modest = await clientOf(t, worker.address, { tokenFile: tokenOf("submit") });
  greedy.predict(onePixel).catch(() => undefined);
  await until(() => worker.waiting === 1);
  await assert.rejects(greedy.listModels({}), { code: status.RESOURCE_EXHAUSTED });
  await modest.listModels({});
  await assert.rejects((await clientOf(t, worker.address)).listModels({}), { code: status.UNAUTHENTICATED });
});

test("more calls than a connection may carry wait for the others", async (t) => {
  const worker = await startGuardedWorker(t, { maxStreams: 2, maxCallTime: 1 });
  const client = await clientOf(t, worker.address);
  await client.listModels({});
  await Promise.all(Array.from({ length: 3 }, () => client.predict(onePixel).catch(() => undefined)));
  await until(() => worker.aborted === 3);
  assert.equal(worker.peak, 2);
});

test("a call that takes too long ends, in the engine too, whatever its client's deadline", async (t) => {
  const worker = await startGuardedWorker(t, { maxCallTime: 1 });
  const client = await clientOf(t, worker.address);
  await assert.rejects(client.predict(onePixel), {
    code: status.DEADLINE_EXCEEDED,
    details: "a call may take 1 s here; send less at a time, or start the server with another --max-call-time",
  });
  await until(() => worker.aborted === 1);
  await client.listModels({});
});

test("a stream goes on for longer than a call may take, and ends when its token is taken back", async (t) => {
  const { file, tokenOf } = await writeTokens(t);
  const { address } = await startGuardedWorker(t, { tokens: file, maxCallTime: 1 });
  const client = await clientOf(t, address, { tokenFile: tokenOf("predict") });
  const opened = Date.now();
  const ended = client.streamEnds();
  await writeFile(file, "[]");
  await assert.rejects(ended, { code: status.UNAUTHENTICATED, details: /does not know the token/ });
  assert.ok(Date.now() - opened > 1_000);
});

test("a message over the limit is refused", async (t) => {
  const { address } = await startGuardedWorker(t, { maxMessage: 1 });
  const client = await clientOf(t, address);
  const big = { images: { ...onePixel.images, pixels: Buffer.alloc(2 ** 20), shape: [1, 1, 1024, 1024] } };
  await assert.rejects(client.predict(big), { code: status.RESOURCE_EXHAUSTED });
});
