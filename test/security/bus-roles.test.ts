import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readDeadLetters, replayDeadLetters } from "../../pipeline/bus/nats/dead-letters.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { announceNode } from "../../pipeline/bus/nats/nodes.ts";
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import { overview } from "../../pipeline/bus/nats/overview.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { type BusSecurity, readBusSecurity } from "../../pipeline/bus/nats/security.ts";
import { submitToNats } from "../../pipeline/bus/nats/submit.ts";
import { connectWorkerDirectory } from "../../pipeline/bus/nats/workers.ts";
import type { BusEvent } from "../../pipeline/events/event.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { announceWorker, type WorkerEntry } from "../../pipeline/workers/directory.ts";
import { writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { resultOf } from "../results/results.ts";
import { type BusRole, passwordOf, startDocumented } from "./configured-nats-server.ts";

type Role = BusRole;

/** The documented server, and a login for every role. */
const setup = async (t: TestContext) => {
  const { address, violations } = await startDocumented(t);
  const folder = await temporaryFolder(t);
  const creds = async (role: string, password = passwordOf(role as Role)): Promise<string> => {
    const path = join(folder, role);
    await writeFile(path, `user: ${role}\npassword: ${password}\n`);
    return path;
  };
  const login = async (role: string, password?: string): Promise<BusSecurity> =>
    readBusSecurity({ busCreds: await creds(role, password) });
  const url = `nats://${address}`;
  const open = async (role: Role): Promise<NatsBusParts> => {
    const parts = await openNats({ url, security: await login(role), name: role, onConnection: () => {} });
    t.after(() => parts.nc.close());
    return parts;
  };
  return { url, open, login, creds, violations };
};

type Scene = Awaited<ReturnType<typeof setup>>;

const experiments = ["E1", "E2"].map((id) => ({ id, cellType: "HUVEC", data: "/data" }));

const submit = async (scene: Scene, as: Role) => {
  const parts = await scene.open(as);
  return submitToNats(parts, experiments, () => {});
};

const lookAtBus = async (scene: Scene, as: Role) => overview(await scene.open(as));

/** Takes what is there: does the first one and gives up the others. */
const work = async (scene: Scene, as: Role): Promise<void> => {
  const parts = await scene.open(as);
  const cellTypes = () => ["HUVEC"];
  const bus = await openNatsBus(parts, {
    node: "n",
    cellTypes,
    untilEmpty: true,
    onFull: () => {},
    onMended: () => {},
  });
  const presence = announceNode(parts.nodes, "n", cellTypes);
  const events = openEventPublisher(natsEvents(parts), "n", () => "HUVEC");
  const { signal } = new AbortController();
  try {
    for (let first = true; ; first = false) {
      const delivery = await bus.take(signal);
      if (delivery === undefined) break;
      const { experiment, attempt } = delivery;
      events.next({ type: "experiment-running", experiment: experiment.id, attempt, plates: [] });
      if (first) await events.publishResult(resultOf(experiment.id, [{ well: "B02", called: "1" }]));
      await (first ? delivery.done() : delivery.fail("poison", undefined, attempt));
    }
    await events.settled();
  } finally {
    await presence.close();
    await bus.close();
  }
};

const publishResult = async (scene: Scene, as: Role): Promise<void> =>
  openEventPublisher(natsEvents(await scene.open(as)), "n", () => "HUVEC").publishResult(
    resultOf("E9", [{ well: "B02", called: "1" }]),
  );

const announce = async (scene: Scene, as: Role): Promise<void> => {
  const security = await scene.login(as);
  const { directory, close } = await connectWorkerDirectory(scene.url, as, () => {}, security);
  try {
    const entry: WorkerEntry = {
      address: "gpu1:7411",
      host: "gpu1",
      pid: 1,
      models: [],
      runtime: "none",
      provider: "none",
      maxBatch: 1,
      load: 0,
      since: "",
      version: "",
    };
    const announcement = await announceWorker(directory, () => entry);
    await announcement.close();
  } finally {
    await close();
  }
};

const follow = async (scene: Scene, as: Role): Promise<string[]> => {
  const parts = await scene.open(as);
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { value } of natsEvents(parts).follow({}, { after: 0, signal: stop.signal })) {
    seen.push(nameOf(value));
    if (seen.at(-1) === "E1 done") stop.abort();
  }
  return seen;
};

const nameOf = (event: BusEvent): string =>
  `${event.experiment} ${event.kind === "call" ? `called ${event.well}` : event.state}`;

const refusedTo = async (what: (scene: Scene, as: Role) => Promise<unknown>, scene: Scene, others: Role[]) => {
  for (const other of others) {
    await assert.rejects(what(scene, other), /\[permission-denied\] this login may not publish to /, other);
  }
};

test("with the documented configuration every role does its work, and is refused the others'", async (t) => {
  const scene = await setup(t);
  await announce(scene, "worker");
  await scene.open("node");
  assert.deepEqual(await submit(scene, "submitter"), { queued: 2, known: 0 });
  assert.equal((await lookAtBus(scene, "submitter")).counts.queued, 2);
  await work(scene, "node");
  const { counts, nodes } = await lookAtBus(scene, "submitter");
  assert.deepEqual([counts.done, counts.failed, nodes.length], [1, 1, 0]);
  const submitter = await scene.open("submitter");
  const letters = await readDeadLetters(submitter);
  assert.deepEqual(
    letters.map(({ id, reason }) => [id, reason]),
    [["E2", "poison"]],
  );
  const seen = await follow(scene, "subscriber");
  assert.ok(seen.includes("E1 called B02") && seen.includes("E1 done"), seen.join(", "));
  assert.deepEqual(await replayDeadLetters(submitter, letters, () => {}), { queued: 1, known: 0 });
  await follow(scene, "node");
  const { streams } = await scene.open("node");
  const [kept] = await streams.last(streams.names.queue, streams.names.experimentsOf("HUVEC"));
  await streams.remove(streams.names.queue, kept!.seq);

  assert.deepEqual(scene.violations(), []);
  await refusedTo(submit, scene, ["worker", "subscriber"]);
  await refusedTo(lookAtBus, scene, ["worker", "subscriber"]);
  await refusedTo(work, scene, ["submitter", "worker", "subscriber"]);
  await refusedTo(publishResult, scene, ["submitter", "worker", "subscriber"]);
  await refusedTo(announce, scene, ["submitter", "node", "subscriber"]);
  await refusedTo(follow, scene, ["submitter", "worker"]);
  while (scene.violations().length < 16) await sleep(10);
});

test("no role may delete a stream, listen to another's answers, or read what it is not given", async (t) => {
  const scene = await setup(t);
  const node = await scene.open("node");
  for (const role of ["node", "submitter", "subscriber"] as const) {
    const { nc, streams } = await scene.open(role);
    await assert.rejects(streams.manager.streams.delete(streams.names.queue), /Permissions Violation/, role);
    await assert.rejects(streams.manager.streams.purge(streams.names.events), /Permissions Violation/, role);
    for (const subject of ["_INBOX.>", ">", "$KV.>", role === "subscriber" ? "_INBOX.node.>" : "_INBOX.subscriber.>"]) {
      const listening = nc.subscribe(subject);
      await assert.rejects(listening[Symbol.asyncIterator]().next(), /Permissions Violation for Subscription/, subject);
    }
  }
  await node.nc.flush();
});

test("a wrong password, an unknown user and nobody are refused by name", async (t) => {
  const { url, login } = await setup(t);
  for (const security of [await login("node", "guess"), await login("stranger"), {}]) {
    const opening = openNats({ url, security, name: "test", onConnection: () => {} });
    await assert.rejects(opening, (error: Error) => {
      assert.match(error.message, /\[unauthenticated\] the NATS server at .* refuses this login .*--bus-creds FILE/);
      assert.ok(!error.message.includes("guess"));
      return true;
    });
  }
});

test("commands show the login that they are given", async (t) => {
  const { url, open, creds } = await setup(t);
  await open("node");
  const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
  const args = ["--model", await writeTinyBundle(t), "--provider", "cpu", "--listen", "127.0.0.1:0"];
  const worker = spawn(process.execPath, [main, "worker", ...args, "--bus", url, "--bus-creds", await creds("worker")]);
  t.after(() => worker.kill("SIGKILL"));
  for await (const line of createInterface({ input: worker.stderr })) if (/announced/.test(line)) break;

  const status = async (role: Role) =>
    promisify(execFile)(process.execPath, [main, "status", "--bus", url, "--bus-creds", await creds(role)]);
  assert.match((await status("submitter")).stdout, /\n1 worker\n.*tiny for HUVEC/);
  await assert.rejects(status("subscriber"), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr, /\[permission-denied\] this login may not publish to \$JS\.API\./);
    return true;
  });
  worker.kill("SIGTERM");
  assert.deepEqual(await once(worker, "exit"), [0, null]);
});
