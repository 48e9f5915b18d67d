/** Files and folders that somebody names. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { PlatestreamError } from "../../common/errors.ts";
import { makeFolder } from "../../common/make-folder.ts";
import { readOptionFile, readRegularFile } from "../../common/read-file.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const limit = { timeout: 30_000 };

test("a regular file is read whole, and what is none is refused by its kind", limit, async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  await writeFile(at("file"), "text");
  assert.equal((await readRegularFile(at("file"))).toString(), "text");
  await mkdir(at("folder"));
  execFileSync("mkfifo", [at("pipe")]);
  await symlink("/dev/zero", at("zero"));
  await symlink("loop", at("loop"));
  const refusals = {
    folder: /folder cannot be read: it is a folder/,
    pipe: /pipe cannot be read: it is a pipe/,
    zero: /zero cannot be read: it is a device/,
    loop: /loop cannot be read: its symbolic links lead in a circle/,
    missing: /missing cannot be read: there is no such file/,
    "file/x": /x cannot be read: a part of its path is a file/,
  };
  for (const [name, words] of Object.entries(refusals)) await assert.rejects(readRegularFile(at(name)), words);
});

test("an option may name a pipe, as long as somebody writes to it", limit, async (t) => {
  const pipe = join(await temporaryFolder(t), "pipe");
  execFileSync("mkfifo", [pipe]);
  const writer = spawn("sh", ["-c", `sleep 0.5; printf 'a: 1\\n' > ${pipe}; exit`]);
  t.after(() => writer.kill());
  assert.equal((await readOptionFile("--config", pipe)).toString(), "a: 1\n");
  await assert.rejects(readOptionFile("--config", pipe), /--config .*pipe.*nobody writes to it for 10 s/);
});

test("a folder for results is made with those above it, or refused in words", limit, async (t) => {
  const folder = await temporaryFolder(t);
  await makeFolder(join(folder, "a/b/c"));
  await makeFolder(join(folder, "a/b/c"));
  await writeFile(join(folder, "file"), "");
  await symlink("loop", join(folder, "loop"));
  const refusals = {
    "/proc/results": /no folder can be made there/,
    "/dev/null": /is a file/,
    [join(folder, "file")]: /is a file/,
    [join(folder, "file/below")]: /a part of its path is a file/,
    [join(folder, "loop/below")]: /lead in a circle/,
  };
  for (const [path, words] of Object.entries(refusals)) await assert.rejects(makeFolder(path), words);
});

test("what the operating system refuses is an error of its own, with a way out", limit, () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  const { code, rawMessage } = PlatestreamError.from(full);
  assert.equal(code, "system");
  assert.match(rawMessage, /no space left on device.*make room/);
});
