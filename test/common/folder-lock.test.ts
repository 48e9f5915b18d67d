import assert from "node:assert/strict";
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lockFolder } from "../../common/folder-lock.ts";
import type { Attempt } from "./lock-contender.ts";

const temporaryFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "platestream-lock-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);

/** What a process leaves that was killed while it held the folder. */
const leaveLock = async (folder: string, holder: object, number = 1): Promise<void> => {
  const lock = join(folder, ".lock", String(number));
  await mkdir(lock, { recursive: true });
  await writeFile(
    join(lock, "holder.json"),
    JSON.stringify({ pid: dead, host: hostname(), since: "x", id: "x", ...holder }),
  );
};

const contenders = async (t: TestContext, count: number): Promise<readonly ChildProcess[]> => {
  const children = Array.from({ length: count }, () => fork(join(import.meta.dirname, "lock-contender.js")));
  t.after(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  await Promise.all(children.map((child) => once(child, "message")));
  return children;
};

const contend = async (children: readonly ChildProcess[], folder: string): Promise<readonly string[]> => {
  const attempt: Attempt = { folder, atMs: Date.now() + 30 };
  return Promise.all(
    children.map(async (child) => {
      const answer = once(child, "message");
      child.send(attempt);
      return (await answer)[0] as string;
    }),
  );
};

test("of many processes that start at once on the lock of a dead one, exactly one gets the folder", async (t) => {
  const children = await contenders(t, 12);
  const left = [
    (folder: string) => leaveLock(folder, {}),
    (folder: string) => leaveLock(folder, {}, 41),
    (folder: string) => mkdir(join(folder, ".lock", "1"), { recursive: true }),
    async () => undefined,
  ];
  for (let round = 0; round < 40; round++) {
    const folder = await temporaryFolder(t);
    await left[round % left.length]!(folder);
    const answers = await contend(children, folder);
    assert.equal(answers.filter((each) => each === "held").length, 1, `round ${round}: ${answers.join("\n")}`);
    for (const each of answers)
      if (each !== "held") assert.match(each, /^\[invalid-config\] only one process may write/);
  }
});

test("of many processes that start at once when the holder was killed, exactly one gets the folder", async (t) => {
  let children = await contenders(t, 12);
  const folder = await temporaryFolder(t);
  while (children.length > 2) {
    const answers = await contend(children, folder);
    assert.equal(answers.filter((each) => each === "held").length, 1, answers.join("\n"));
    const holder = children[answers.indexOf("held")]!;
    const ended = once(holder, "exit");
    holder.kill("SIGKILL");
    await ended;
    children = children.filter((child) => child !== holder);
  }
});

test("a folder is one process's until that lets go, whatever number the process has", async (t) => {
  const folder = await temporaryFolder(t);
  const unlock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), new RegExp(`process ${process.pid} on .* writes to ${folder}; wait for it`));
  await unlock();
  const again = await lockFolder(folder);
  await unlock(); // not this one's any more
  await assert.rejects(lockFolder(folder), /only one process may write/);
  await again();
});

test("an ended process is distinguished from a later one of the same number, and one of another machine counts as alive", async (t) => {
  const folder = await temporaryFolder(t);
  await leaveLock(folder, { pid: process.pid, since: "before this process began" });
  await (await lockFolder(folder))();
  await leaveLock(folder, { host: "another" }, 7);
  await assert.rejects(
    lockFolder(folder),
    /process \d+ on another writes to .*delete .*\.lock if that process is gone/,
  );
});

test("locks of earlier holders are removed, and numbers never fall", async (t) => {
  const folder = await temporaryFolder(t);
  for (const number of ["1", "2", "3"]) {
    const unlock = await lockFolder(folder);
    assert.deepEqual(await readdir(join(folder, ".lock")), [number]);
    await unlock();
    assert.equal(await readFile(join(folder, ".lock", number, "holder.json"), "utf8"), "{}\n");
  }
});

test("a command that writes to a folder is refused one that another process has", { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const [data, model, out] = [join(folder, "data"), join(folder, "model"), join(folder, "out")];
  const pipeline = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "../../cli/main.js"), ...args], {
      timeout: 60_000,
    });
    return { status, stderr: String(stderr) };
  };
  const sizes = ["--classes", "4", "--size", "32", "--plates", "1", "--positive-controls", "1"];
  const prepared = [
    pipeline("data", "synth", data, "--experiments", "HUVEC-01..02", ...sizes),
    pipeline("model", "new", "--arch", "densenet-small", "--size", "32", "--layout", data, "--out", model),
  ];
  for (const { status, stderr } of prepared) assert.equal(status, 0, stderr);
  await mkdir(out);
  const unlock = await lockFolder(out);
  t.after(unlock);
  for (const command of [
    ["train", "--data", data, "--recipe", "demo", "--out", out],
    ["start", "--data", data, "--model", model, "--out", out],
  ]) {
    const { status, stderr } = pipeline(...command);
    assert.equal(status, 2, stderr);
    assert.match(
      stderr,
      new RegExp(`\\[invalid-config\\] only one process may write to a folder, and process ${process.pid} on`),
    );
  }
});
