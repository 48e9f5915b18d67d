import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import { readServerSecurity } from "../../common/grpc/server-security.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { newAuthority } from "./certificates.ts";
import { clientOf, limits, onePixel, startGuardedWorker, writeTokens } from "./guarded-worker.ts";

const files = ({ cert, key }: { cert: string; key: string }) => ({ tlsCert: cert, tlsKey: key });

test("a server with a certificate is trusted by those who trust its authority", async (t) => {
  const [lab, stranger] = [await newAuthority(t, "Lab"), await newAuthority(t, "Stranger")];
  const { address } = await startGuardedWorker(t, files(await lab.certify("worker")));
  await (await clientOf(t, address, { tlsCa: lab.ca })).listModels({});
  await (await clientOf(t, address.replace("127.0.0.1", "localhost"), { tlsCa: lab.ca })).listModels({});
  for (const options of [{}, { tlsCa: stranger.ca }, { tlsCa: "system" }]) {
    await assert.rejects((await clientOf(t, address, options)).listModels({}), { code: status.UNAVAILABLE });
  }
});

test("with an authority for clients, those without its certificate stay outside", async (t) => {
  const [lab, stranger] = [await newAuthority(t, "Lab"), await newAuthority(t, "Stranger")];
  const { address } = await startGuardedWorker(t, { ...files(await lab.certify("worker")), tlsClientCa: lab.ca });
  const known = { tlsCa: lab.ca, ...files(await lab.certify("node")) };
  await (await clientOf(t, address, known)).listModels({});
  const worker = platestreamWorker(address, { security: await readClientSecurity(known, {}) });
  t.after(() => worker.close());
  assert.equal((await worker.info({ signal: new AbortController().signal, deadlineMs: 5_000 })).runtime, "none none");
  for (const options of [{}, files(await stranger.certify("node"))]) {
    const client = await clientOf(t, address, { tlsCa: lab.ca, ...options });
    await assert.rejects(client.listModels({}), { code: status.UNAVAILABLE });
    await assert.rejects(client.health({ service: "" }), { code: status.UNAVAILABLE });
  }
});

test("TLS and tokens go together, and with TLS a server may listen anywhere", async (t) => {
  const lab = await newAuthority(t);
  const { file, tokenOf } = await writeTokens(t);
  const options = { ...files(await lab.certify("worker")), tokens: file };
  const { address } = await startGuardedWorker(t, options, "0.0.0.0:0");
  const here = address.replace("0.0.0.0", "127.0.0.1");
  await (await clientOf(t, here, { tlsCa: lab.ca, tokenFile: tokenOf("predict") })).listModels({});
  await assert.rejects((await clientOf(t, here, { tlsCa: lab.ca })).listModels({}), { code: status.UNAUTHENTICATED });
});

test("a certificate without an authority to trust would encrypt nothing, and is refused but on loopback", async (t) => {
  const lab = await newAuthority(t);
  const security = await readClientSecurity(files(await lab.certify("node")), {});
  assert.throws(
    () => security.toServer("gpu1:7411"),
    /--tls-cert is given, and gpu1:7411 would be reached unencrypted/,
  );
  security.toServer("127.0.0.1:7411");
});

test("calls of one certificate are counted together", async (t) => {
  const lab = await newAuthority(t);
  const served = { ...files(await lab.certify("worker")), tlsClientCa: lab.ca, maxCalls: 1 };
  const worker = await startGuardedWorker(t, served);
  const { address } = worker;
  const [a, b] = [files(await lab.certify("a")), files(await lab.certify("b"))];
  const greedy = await clientOf(t, address, { tlsCa: lab.ca, ...a });
  greedy.predict(onePixel).catch(() => undefined);
  while (worker.waiting === 0) await sleep(5);
  await assert.rejects((await clientOf(t, address, { tlsCa: lab.ca, ...a })).listModels({}), {
    code: status.RESOURCE_EXHAUSTED,
  });
  await (await clientOf(t, address, { tlsCa: lab.ca, ...b })).listModels({});
});

test("files that are not certificates, do not fit or are not there are refused by name", async (t) => {
  const lab = await newAuthority(t);
  const [a, b] = [await lab.certify("a"), await lab.certify("b")];
  const junk = join(await temporaryFolder(t), "junk.pem");
  await writeFile(junk, "junk");
  const server = (options: object) => readServerSecurity({ ...limits, ...options }, () => undefined);
  await assert.rejects(server({ tlsCert: a.cert }), /\[invalid-config\] --tls-cert needs --tls-key/);
  await assert.rejects(server({ tlsKey: a.key }), /\[invalid-config\] --tls-key needs --tls-cert/);
  await assert.rejects(server({ tlsCert: a.cert, tlsKey: b.key }), /must be a certificate and its unencrypted key/);
  await assert.rejects(server({ tlsCert: "/no/such", tlsKey: b.key }), /--tls-cert \/no\/such cannot be read/);
  await assert.rejects(server({ tlsClientCa: lab.ca }), /--tls-client-ca .* give --tls-cert and --tls-key as well/);
  await assert.rejects(server({ ...files(a), tlsClientCa: junk }), /--tls-client-ca .* must hold certificates in PEM/);
  await assert.rejects(readClientSecurity({ tlsCa: junk }, {}), /--tls-ca .* must hold certificates in PEM/);
});
