import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseRunConfig, withSettings } from "../../pipeline/config.ts";
import { buildChain } from "../../pipeline/stage/chain.ts";
import { sourceDigest } from "../../pipeline/stage/plugin-source.ts";
import { stages, usualChain } from "../../stages/built-in.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const entries = (...names: string[]) => parseRunConfig({ data: "d", stages: names }, "test", usualChain).stages;

test("chain - the built-in stages fit together", async () => {
  const chain = await buildChain(parseRunConfig({ data: "d" }, "test", usualChain).stages, stages, ".");
  assert.deepEqual(
    chain.map(({ stage }) => stage.name),
    ["decode", "normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"],
  );
});

test("chain - stages that do not fit are all named, with both types", async () => {
  await assert.rejects(buildChain(entries("normalize", "infer", "aggregate-sites"), stages, "."), {
    message: [
      "[invalid-config] the stages do not fit together:",
      '  - the first stage must take "site", but "normalize" takes "site-image"',
      '  - "normalize" gives "site-image", but "infer" after it takes "batch"',
      '  - the last stage must give "call", but "aggregate-sites" gives "well-prediction"',
    ].join("\n"),
  });
});

test("chain - an unknown stage lists the known ones and how a file is named", async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(buildChain(entries("decod"), stages, folder), {
    message:
      `[invalid-config] there is no stage "decod": it is neither built in (decode, normalize, batch-by-experiment, infer, ` +
      `aggregate-sites, plate-assign, illumination) nor a package installed in ${folder}; a stage in a file is named by its path, as in "./decod.ts"`,
  });
});

test("chain - an unknown option lists the known ones; a wrong one says what was expected and got", async () => {
  const { stages: bad } = parseRunConfig(
    { data: "d", stages: [{ decode: { concurency: 2, crop: -1 } }] },
    "test",
    usualChain,
  );
  await assert.rejects(buildChain(bad, stages, "."), {
    message: [
      "[invalid-config] stages[0] (decode):",
      "  - crop: Too small: expected number to be >0, got -1",
      '  - unknown key "concurency"; known are concurrency, crop, range, illumination, resize',
    ].join("\n"),
  });
});

test("chain - what is wrong with several stages is listed at once", async (t) => {
  const { stages: wrong } = parseRunConfig(
    { data: "d", stages: [{ decode: { concurency: 2 } }, "normalise"] },
    "test",
    usualChain,
  );
  await assert.rejects(
    buildChain(wrong, stages, await temporaryFolder(t)),
    /cannot be used:\n {2}- stages\[0\] \(decode\): unknown key "concurency".*\n {2}- there is no stage "normalise"/,
  );
});

test("config - an unknown key names its place", () => {
  assert.throws(() => parseRunConfig({ data: "d", memory: 5 }, "run.yaml", usualChain), {
    message:
      '[invalid-config] run.yaml: unknown key "memory"; known are data, layout, columns, where, channels, plane, time, map, level, plateMap, encoding, experiments, out, model, adapt, original, workers, connectionsPerWorker, sharedMemory, memoryMiB, ' +
      "concurrentExperiments, attempts, stages",
  });
});

test("config - settings are laid over the chain", () => {
  const changed = withSettings(entries("decode", "infer"), ["infer.statistics=batch", "decode.crop=48"]);
  assert.deepEqual(changed, [
    { use: "decode", options: { crop: 48 } },
    { use: "infer", options: { statistics: "batch" } },
  ]);
  assert.throws(() => withSettings(entries("decode"), ["infer.statistics=batch"]), {
    message:
      '[invalid-config] --set takes STAGE.OPTION=VALUE with a stage of the chain (decode), got "infer.statistics=batch"',
  });
});

test("plugins - a TypeScript file and a JavaScript file need nothing installed", async (t) => {
  const folder = await temporaryFolder(t);
  const source = (types: string) => `
    import { defineStage, z } from "platestream/plugin";
import { filter } from "rxjs";
    export default defineStage({
      name: "first-site", description: "Keeps one site per well.", input: "site", output: "site",
      config: z.strictObject({ site: z.int().positive().default(1).describe("the site to keep") }),
      apply: ({ site }) => filter((item${types}) => item.site === site),
    });`;
  await writeFile(join(folder, "typed.ts"), `import type { Site } from "platestream/plugin";${source(": Site")}`);
  await writeFile(join(folder, "plain.js"), source(""));
  for (const file of ["./typed.ts", "./plain.js"]) {
    const chain = await buildChain(
      [
        { use: file, options: { site: 2 } },
        ...entries("decode", "normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"),
      ],
      stages,
      folder,
    );
    assert.equal(chain[0]!.stage.name, "first-site");
    assert.deepEqual(chain[0]!.options, { site: 2 });
  }
});

test("plugins - a file that is missing, does not compile or exports no stage is named", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "empty.ts"), "export const nothing = 1;");
  await writeFile(
    join(folder, "half.ts"),
    "export default { name: 'half', description: '', input: 'site', output: 'site' };",
  );
  await assert.rejects(buildChain([{ use: "./gone.ts", options: {} }], stages, folder), {
    message: `[invalid-config] there is no plugin file ${folder}/gone.ts (written as "./gone.ts" in the stages)`,
  });
  await assert.rejects(buildChain([{ use: "./empty.ts", options: {} }], stages, folder), {
    message: "[invalid-config] plugin ./empty.ts must export a stage as its default export, got none",
  });
  await assert.rejects(buildChain([{ use: "./half.ts", options: {} }], stages, folder), {
    message: [
      "[invalid-config] plugin ./half.ts is not a stage:",
      "  - config must be a zod schema, as in z.strictObject({ … })",
      "  - apply must be a function, got undefined",
    ].join("\n"),
  });
});

test("chain - a plugin's digest is of all that it imports, and changes with it", async (t) => {
  const folder = await temporaryFolder(t);
  const digest = async (factor: string): Promise<string> => {
    await writeFile(join(folder, "factor.mjs"), `export const factor = ${factor};`);
    return sourceDigest("./mine.mjs", join(folder, "mine.mjs"));
  };
  await writeFile(join(folder, "mine.mjs"), 'import { factor } from "./factor.mjs";\nexport default factor;');
  const [two, three, again] = [await digest("2"), await digest("3"), await digest("2")];
  assert.match(two, /^\.\/mine\.mjs sha256:[0-9a-f]{32}$/);
  assert.notEqual(two, three);
  assert.equal(two, again);
});
