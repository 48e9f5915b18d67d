import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { submitThrough } from "../../pipeline/submissions/client.ts";
import { startNatsServer } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { writeTokens } from "./guarded-worker.ts";

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

const writeDataset = async (folder: string, experiments: readonly string[]): Promise<string> => {
  await mkdir(folder, { recursive: true });
  const rows = experiments.map((id) => `a.png,${id},P1,B02,1`);
  const table = ["URL_DNA,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site", ...rows].join("\n");
  await writeFile(join(folder, "load_data.csv"), table);
  return folder;
};

/** A gateway as a process, on a bus whose queue holds three experiments. */
const setup = async (t: TestContext) => {
  const server = await startNatsServer();
  t.after(() => server.close());
  const url = server.namespace();
  const bus = await openNats({ url, name: "test", onConnection: () => {}, limits: { queue: 3 } });
  t.after(() => bus.nc.close());
  const folder = await temporaryFolder(t);
  const root = join(folder, "root");
  await mkdir(root);
  const { file, tokenOf } = await writeTokens(t);
  const args = ["gateway", "--bus", url, "--data-root", root, "--listen", "127.0.0.1:0", "--json"];
  const gateway = spawn(process.execPath, [main, ...args, "--tokens", file]);
  t.after(() => gateway.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: gateway.stdout }), "line");
  const address: string = JSON.parse(line).address;
  const submit = async (data: string, experiments: string[] = [], role: "submit" | "predict" = "submit") =>
    submitThrough(address, await readClientSecurity({ tokenFile: tokenOf(role) }, {}), { data, experiments });
  return { bus, folder, root, gateway, address, tokenOf, submit };
};

test("a gateway queues what lies under its data roots, for tokens with the role submit", async (t) => {
  const { bus, folder, root, gateway, address, tokenOf, submit } = await setup(t);
  const screen = await writeDataset(join(root, "screen"), ["E1", "E2"]);
  assert.deepEqual(await submit(screen, ["E1"]), { queued: 1, known: 0 });
  const args = ["submit", "--gateway", address, "--data", screen, "--token-file", tokenOf("submit")];
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args]);
  assert.equal(stdout, "1 queued, 1 queued, running or done already\n");
  const records = await bus.records.all();
  assert.deepEqual(records.map(({ id, data }) => [id, data]).sort(), [
    ["E1", join(screen, "load_data.csv")],
    ["E2", join(screen, "load_data.csv")],
  ]);

  await assert.rejects(
    submit(screen, [], "predict"),
    /\[permission-denied\] gateway .* needs a token with the role submit/,
  );
  await assert.rejects(submit(screen, ["E9"]), /\[invalid-config\] gateway .* has no experiment E9/);
  const outside = await writeDataset(join(folder, "outside"), ["E3"]);
  for (const data of [outside, `${root}/../outside`, ""]) {
    await assert.rejects(submit(data), /\[invalid-data\] gateway .* reads under its data roots only/, data);
  }
  gateway.kill("SIGTERM");
  assert.deepEqual(await once(gateway, "exit"), [0, null]);
});

test("a full queue is reported, and the same submission is harmless later", async (t) => {
  const { bus, root, submit } = await setup(t);
  const screen = await writeDataset(join(root, "screen"), ["E1", "E2", "E3", "E4"]);
  await assert.rejects(
    submit(screen),
    /\[queue-full\] gateway .*: the queue is full; submit the same experiments again/,
  );
  await bus.streams.manager.streams.purge(bus.streams.names.queue, {
    filter: bus.streams.names.experiment("unknown", "E1"),
  });
  assert.deepEqual(await submit(screen, ["E2", "E3", "E4"]), { queued: 1, known: 2 });
});

test("submitting goes to a bus or to its gateway", async () => {
  for (const where of [[], ["--bus", "nats://127.0.0.1:1", "--gateway", "127.0.0.1:1"]]) {
    const args = ["submit", "--data", ".", ...where];
    const refused = await promisify(execFile)(process.execPath, [main, ...args]).catch((error) => error);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /\[invalid-config\] .* give one of the two/);
  }
});

test("a gateway answers while tables are read, refuses what is not a regular file, and sees that a table has changed", async (t) => {
  const { root, gateway, submit } = await setup(t);
  const blocked = join(root, "blocked");
  await mkdir(blocked);
  await promisify(execFile)("mkfifo", [join(blocked, "load_data.csv")]);
  await assert.rejects(submit(blocked), /load_data\.csv cannot be read: it is a pipe, not a regular file/);
  const screen = await writeDataset(join(root, "screen"), ["E1"]);
  assert.deepEqual(await submit(screen), { queued: 1, known: 0 });
  await writeDataset(screen, ["E1", "E2"]);
  assert.deepEqual(await submit(screen), { queued: 1, known: 1 });
  const many = Array.from({ length: 8 }, () => submit(screen));
  assert.deepEqual(
    (await Promise.all(many)).map(({ known }) => known),
    Array.from({ length: 8 }, () => 2),
  );
  gateway.kill("SIGTERM");
  const [code] = await once(gateway, "exit");
  assert.equal(code, 0);
});
