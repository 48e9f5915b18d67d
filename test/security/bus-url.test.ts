import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { packageFile } from "../../common/package-file.ts";

const main = packageFile("dist/cli/main.js");

test("a login in the bus's URL is not seen in the list of processes, nor in what the command says", async () => {
  const secret = "s3cret";
  const url = `nats://me:${secret}@127.0.0.1:1`;
  const child = spawn(process.execPath, [main, "status", "--bus", url], { stdio: ["ignore", "pipe", "pipe"] });
  let seen = "";
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said += text;
    });
  const ended = once(child, "close");
  while (child.exitCode === null && !seen.includes("…@127.0.0.1:1")) {
    seen = spawnSync("ps", ["-o", "args=", "-p", String(child.pid)], { encoding: "utf8" }).stdout;
    await sleep(20);
  }
  await ended;
  assert.match(seen, /^pipeline status --bus nats:\/\/…@127\.0\.0\.1:1/);
  assert.match(said, /no NATS server answers at 127\.0\.0\.1:1/);
  assert.ok(!`${seen}${said}`.includes(secret), said);
});
