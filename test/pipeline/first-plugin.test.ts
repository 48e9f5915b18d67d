/** The first plugin of docs/plugins.md, as it stands there. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { packageFile } from "../../common/package-file.ts";
import { parseRunConfig } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const firstPlugin = async (): Promise<string> => {
  const text = await readFile(packageFile("docs/plugins.md"), "utf8");
  return /```ts\n([^`]*?export default defineStage.*?)```/s.exec(text)![1]!;
};

/** What the compiler says of it in a folder where the package can be found. */
const typeErrors = async (t: TestContext, source: string): Promise<string> => {
  const folder = await temporaryFolder(t);
  const door = join(import.meta.dirname, "../../pipeline/plugin.d.ts");
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: "nodenext", target: "es2023", types: [], skipLibCheck: true },
    paths: { "platestream/plugin": [door], rxjs: [packageFile("node_modules/rxjs")] },
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  await writeFile(join(folder, "plugin.ts"), source);
  return new Promise((resolve) => {
    execFile(packageFile("node_modules/.bin/tsc"), ["-p", folder], (_, stdout) => resolve(stdout));
  });
};

test("the first plugin of the docs takes twenty lines, type-checks, and fits after decode", async (t) => {
  const source = await firstPlugin();
  assert.ok(source.trimEnd().split("\n").length <= 20);
  assert.equal(await typeErrors(t, source), "");
  const file = join(await temporaryFolder(t), "bright-enough.ts");
  await writeFile(file, source);
  const names = ["decode", file, "normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"];
  const chain = await buildChain(parseRunConfig({ data: "d", stages: names }, "test", usualChain).stages, stages, ".");
  assert.equal(chain[1]!.stage.name, "bright-enough");
});

test("a wrong port is a type error", async (t) => {
  const source = (await firstPlugin()).replace('input: "site-image"', 'input: "batch"');
  assert.match(await typeErrors(t, source), /error TS2322: .*Batch.* is not assignable to .*SiteImage/);
});
