/** platestream/testing as somebody uses it who has installed the package: the example of docs/plugins.md, run by Node. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openBundleWorkers, runStage, testExperiment, testImage, testSite } from "platestream/testing";
import { packageFile } from "../../common/package-file.ts";
import { batchByExperiment } from "../../stages/batch-by-experiment.ts";
import { infer } from "../../stages/infer.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const block = (text: string, pattern: RegExp): string => pattern.exec(text)![1]!;

test("the test of the first plugin in the docs passes in a folder where the package is installed", async (t) => {
  const docs = await readFile(packageFile("docs/plugins.md"), "utf8");
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "node_modules"));
  await symlink(packageFile("."), join(folder, "node_modules/platestream"));
  await symlink(packageFile("node_modules/rxjs"), join(folder, "node_modules/rxjs"));
  await writeFile(join(folder, "bright-enough.mjs"), block(docs, /```ts\n([^`]*?export default defineStage.*?)```/s));
  await writeFile(join(folder, "bright-enough.test.mjs"), block(docs, /```js\n([^`]*?platestream\/testing.*?)```/s));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = promisify(execFile)(process.execPath, ["--test"], { cwd: folder, timeout: 60_000, env });
  assert.match((await run).stdout, /# pass 1\n/);
});

test("a bundle predicts in this process, stage after stage", async (t) => {
  const workers = await openBundleWorkers(packageFile("models/demo"));
  t.after(() => workers.close());
  const [model] = await workers.models();
  const { cellType, channels, height, width, classes } = model!;
  const images = [1, 2].map((site) =>
    testImage({
      site: testSite({ cellType, site }),
      pixels: Uint8Array.from({ length: channels * height * width }, (_, index) => (index * site) % 251),
      channels,
      height,
      width,
    }),
  );
  const experiment = testExperiment(images.map(({ site }) => site));
  const { output: batches } = await runStage(batchByExperiment, {}, images, { experiment, workers });
  const { output, predicted } = await runStage(infer, { statistics: "running" }, batches, { experiment, workers });
  assert.deepEqual(
    output.map(({ logits }) => logits.length),
    [classes.length, classes.length],
  );
  assert.equal(predicted.length, 2);
});
