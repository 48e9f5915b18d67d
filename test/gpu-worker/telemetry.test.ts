/** Nothing that Platestream starts calls home, or writes where nobody asked it to. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { needDebianPackage } from "../kit/debian-package.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { writeTinyBundle } from "./tiny-bundle.ts";

const main = join(import.meta.dirname, "../../cli/main.js");

test("a worker looks no name up, connects to nobody and leaves nothing in the user's folders", async (t) => {
  needDebianPackage("strace", "command -v strace", "strace");
  const [home, temporary, traced] = [await temporaryFolder(t), await temporaryFolder(t), await temporaryFolder(t)];
  const trace = join(traced, "trace");
  const { ORT_DISABLE_TELEMETRY: _, ...rest } = process.env;
  const bundle = await writeTinyBundle(t);
  const child = spawn(
    "strace",
    [
      ...["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", trace],
      ...[process.execPath, main, "worker", "--model", bundle, "--listen", "127.0.0.1:0", "--exit-with-parent"],
    ],
    { env: { ...rest, HOME: home, TMPDIR: temporary, XDG_CACHE_HOME: "" }, stdio: ["pipe", "pipe", "inherit"] },
  );
  t.after(() => child.kill("SIGKILL"));
  await once(createInterface({ input: child.stdout }), "line");
  child.stdin.end();
  await once(child, "exit");
  const left = async (folder: string) =>
    (await readdir(folder, { recursive: true })).filter((name) => !/compile-cache/.test(name));
  assert.deepEqual(await left(home), []);
  assert.deepEqual(await left(temporary), []);
  const calls = (await readFile(trace, "utf8")).split("\n").filter((line) => /AF_INET6?\b/.test(line));
  assert.deepEqual(calls, []);
});
