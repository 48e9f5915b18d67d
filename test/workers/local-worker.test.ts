import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Status } from "../../pipeline/run/status.ts";
import { defaultLocalWorker, startLocalWorker } from "../../pipeline/workers/local-worker.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** A program that takes a worker's arguments, writes its process id and arguments down, and behaves as asked. */
const program = async (t: TestContext, behaviour: string) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "worker.mjs");
  await writeFile(
    path,
    `import { appendFileSync, readFileSync } from "node:fs";
     import { createServer } from "node:net";
     const log = ${JSON.stringify(join(folder, "starts"))};
     appendFileSync(log, process.pid + " " + process.argv.slice(2).join(" ") + "\\n");
     const starts = readFileSync(log, "utf8").trim().split("\\n").length;
     const ready = () => {
       const port = Number(process.argv[5].split(":")[1]);
       const server = createServer((socket) => socket.end()).listen(port, "127.0.0.1", () =>
         console.log(JSON.stringify({ type: "ready", address: "127.0.0.1:" + server.address().port })));
     };
     console.log("{ not json");
     ${behaviour}`,
  );
  const starts = async () =>
    (await readFile(join(folder, "starts"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => ({ pid: Number(line.split(" ")[0]), arguments: line.slice(line.indexOf(" ") + 1) }));
  return { folder, command: [process.execPath, path], starts };
};

const well = 'process.stdin.on("end", () => process.exit()).resume(); ready();';
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("a local worker gets its bundle, is ready where it says, and ends on close", async (t) => {
  const { command, starts } = await program(t, well);
  const worker = await startLocalWorker("models/demo", () => undefined, { ...defaultLocalWorker, command });
  assert.match(worker.address, /^127\.0\.0\.1:\d+$/);
  const { pid, arguments: given } = (await starts())[0]!;
  assert.equal(given, "--model models/demo --listen 127.0.0.1:0 --json --exit-with-parent");
  assert.ok(isAlive(pid));
  await worker.close();
  assert.ok(!isAlive(pid));
});

test("a local worker that dies is started again at the same address, a bounded number of times", async (t) => {
  const { command, starts } = await program(
    t,
    `${well} setTimeout(() => { console.error("out of memory"); process.exit(9); }, 50);`,
  );
  const statuses: Extract<Status, { type: "worker" }>[] = [];
  const worker = await startLocalWorker("b", (status) => statuses.push(status as (typeof statuses)[0]), {
    ...defaultLocalWorker,
    command,
    restarts: 2,
  });
  while (statuses.at(-1)?.state !== "lost") await sleep(10);
  assert.deepEqual(
    statuses.map(({ state, detail }) => [state, detail]),
    [
      ["starting", "it ended with exit code 9\nout of memory; start 1 of 2"],
      ["starting", "it ended with exit code 9\nout of memory; start 2 of 2"],
      ["lost", "it ended with exit code 9\nout of memory; it is not started again"],
    ],
  );
  assert.deepEqual(
    (await starts()).map((start) => start.arguments.split(" ")[3]),
    ["127.0.0.1:0", worker.address, worker.address],
  );
  await worker.close();
});

test("a local worker that cannot start is an error with its own code and words", async (t) => {
  const bad = await program(t, 'console.error("pipeline: [invalid-model] no manifest"); process.exitCode = 2;');
  await assert.rejects(
    startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command: bad.command }),
    {
      message: "[invalid-model] the worker for b did not start: no manifest",
    },
  );
  const worse = await program(t, 'throw new Error("segmentation fault");');
  await assert.rejects(
    startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command: worse.command }),
    /\[worker-unavailable\] the worker for b did not start: it ended with exit code 1\n[\s\S]*segmentation fault/,
  );
  await assert.rejects(
    startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command: ["/no/such/program"] }),
    /\[worker-unavailable\] .* it cannot be started: spawn \/no\/such\/program ENOENT/,
  );
});

test("a local worker that is never ready is killed and reported", async (t) => {
  const { command, starts } = await program(t, "setInterval(() => undefined, 1000);");
  await assert.rejects(
    startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command, startMs: 2_000 }),
    /\[deadline\] the worker for b was not ready within 2000 ms/,
  );
  const pid = (await starts())[0]!.pid;
  while (isAlive(pid)) await sleep(5);
});

test("a local worker that does not end by itself is killed after a grace", async (t) => {
  const { command, starts } = await program(t, 'process.on("SIGTERM", () => undefined); ready();');
  const worker = await startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command, graceMs: 100 });
  await worker.close();
  const pid = (await starts())[0]!.pid;
  assert.ok(!isAlive(pid));
});

test("a local worker ends when the process that started it is killed", async (t) => {
  const { folder, command, starts } = await program(t, well);
  const parent = join(folder, "parent.mjs");
  const module = pathToFileURL(join(import.meta.dirname, "../../pipeline/workers/local-worker.js")).href;
  await writeFile(
    parent,
    `import { startLocalWorker, defaultLocalWorker } from ${JSON.stringify(module)};
     await startLocalWorker("b", () => undefined, { ...defaultLocalWorker, command: ${JSON.stringify(command)} });
     console.log("started");`,
  );
  const child = spawn(process.execPath, [parent], { stdio: ["ignore", "pipe", "inherit"] });
  await once(createInterface({ input: child.stdout }), "line");
  const pid = (await starts())[0]!.pid;
  assert.ok(isAlive(pid));
  child.kill("SIGKILL");
  while (isAlive(pid)) await sleep(5);
});
