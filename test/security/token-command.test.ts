import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import { platestreamWorker } from "../../pipeline/workers/platestream-worker.ts";
import { writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { newAuthority } from "./certificates.ts";

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

test("a token that the command made opens an encrypted worker that other hosts may reach", async (t) => {
  const made = await promisify(execFile)(process.execPath, [
    main,
    "token",
    "new",
    "--name",
    "lab",
    "--role",
    "predict",
  ]);
  const [, token, , entry] = made.stdout.split("\n");
  const folder = await temporaryFolder(t);
  const [tokens, tokenFile] = [join(folder, "tokens.yaml"), join(folder, "token")];
  await writeFile(tokens, `${entry}\n`);
  await writeFile(tokenFile, `${token}\n`);
  const lab = await newAuthority(t);
  const { cert, key } = await lab.certify("worker");
  const secure = ["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", lab.ca, "--tokens", tokens];
  const args = ["worker", "--model", await writeTinyBundle(t), "--provider", "cpu", "--listen", "0.0.0.0:0", "--json"];
  const child = spawn(process.execPath, [main, ...args, ...secure]);
  t.after(() => child.kill("SIGKILL"));
  const said: Buffer[] = [];
  child.stderr.on("data", (text) => said.push(text));
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const address = JSON.parse(line).address.replace("0.0.0.0", "127.0.0.1");

  const ask = async (options: object) => {
    const worker = platestreamWorker(address, { security: await readClientSecurity(options, {}) });
    t.after(() => worker.close());
    return worker.info({ signal: new AbortController().signal, deadlineMs: 10_000 });
  };
  const client = await lab.certify("node");
  const known = { tlsCa: lab.ca, tlsCert: client.cert, tlsKey: client.key };
  assert.equal((await ask({ ...known, tokenFile })).models.length, 1);
  await assert.rejects(ask(known), /\[unauthenticated\]/);
  await assert.rejects(ask({ tlsCa: lab.ca, tokenFile }), /\[worker-unavailable\]/);
  await assert.rejects(ask({}), /\[worker-unavailable\]/);
  child.kill("SIGTERM");
  await once(child, "close");
  assert.ok(!Buffer.concat(said).includes(token!), "the token stands in the log");
});

test("a worker that would let other hosts in unencrypted does not start", async (t) => {
  const args = ["worker", "--model", await writeTinyBundle(t), "--provider", "cpu", "--listen", "0.0.0.0:0"];
  const refused = await promisify(execFile)(process.execPath, [main, ...args]).catch((error) => error);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /\[invalid-config\] --listen 0\.0\.0\.0:0 would let other hosts in.*--insecure/);
});
