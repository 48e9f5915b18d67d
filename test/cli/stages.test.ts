/** A stage from `stages new` to `stages test`, as somebody does it who writes their first. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { packageFile } from "../../common/package-file.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const main = join(import.meta.dirname, "../../cli/main.js");
const run = (cwd: string, ...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env, timeout: 90_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.signal ?? error?.code ?? 0, stdout, stderr }),
    );
  });
};

test("a new stage works, its test passes, and nothing is overwritten", { timeout: 100_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const made = await run(folder, main, "stages", "new", "not-too-dark");
  assert.equal(made.code, 0, made.stderr);
  const again = await run(folder, main, "stages", "new", "not-too-dark");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /not-too-dark\.mjs cannot be written: it is there already/);

  await mkdir(join(folder, "node_modules"));
  await symlink(packageFile("."), join(folder, "node_modules/platestream"));
  await symlink(packageFile("node_modules/rxjs"), join(folder, "node_modules/rxjs"));
  const tested = await run(folder, "--test");
  assert.match(tested.stdout, /# pass 1\n/, tested.stdout);

  const tried = await run(folder, main, "stages", "test", "./not-too-dark.mjs", "--sites", "3");
  assert.equal(tried.code, 0, tried.stderr);
  assert.match(tried.stdout, /HUVEC-01 of .*: 3 site-image in, 3 site-image out/);
  assert.match(tried.stdout, /\n {2}in {3}plate 1 well \w+ site \d {2}pixels Uint8Array of 24576, mean \d/);
  const strict = await run(
    folder,
    main,
    "stages",
    "test",
    "./not-too-dark.mjs",
    "--set",
    "./not-too-dark.mjs.level=255",
  );
  assert.equal(strict.code, 1);
  assert.match(strict.stdout, /left out {2}plate 1 well \w+ site \d: the mean is [\d.]+, below 255/);
});
