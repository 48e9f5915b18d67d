import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { packageFile } from "../../common/package-file.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const run = promisify(execFile);

const filesOf = async (folder: string): Promise<Map<string, string>> => {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)),
  );
};

test("proto/types is what `npm run proto` makes of the .proto files", { timeout: 60_000 }, async (t) => {
  const { scripts } = JSON.parse(await readFile(packageFile("package.json"), "utf8")) as {
    scripts: { proto: string };
  };
  const [program, ...args] = scripts.proto.split(" ");
  const into = await temporaryFolder(t);
  args[args.indexOf("-O") + 1] = into;
  await run(packageFile(`node_modules/.bin/${program}`), args, { cwd: packageFile(".") });
  const [made, committed] = [await filesOf(into), await filesOf(packageFile("proto/types"))];
  assert.ok(made.size > 20);
  assert.deepEqual(committed, made, "run `npm run proto` and commit what it makes");
});
