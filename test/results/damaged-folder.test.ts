/** Results' folders that people, other programs and broken disks have changed. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readInputs } from "../../pipeline/results/inputs.ts";
import { openRunFolder } from "../../pipeline/results/run-folder.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { imageAt } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { config, resultOf } from "./results.ts";

const open = async (dir: string, fresh = false) => {
  const damage: string[] = [];
  const folder = await openRunFolder(dir, { config, fresh, onDamage: ({ reason }) => damage.push(reason) });
  return { folder, damage };
};

const finished = async (t: TestContext) => {
  const dir = await temporaryFolder(t);
  const { folder } = await open(dir);
  for (const id of ["HUVEC-01", "HUVEC-02"]) await folder.write(resultOf(id, [{ well: "B02", called: "1" }]));
  await folder.fail({ experiment: "HUVEC-03", cellType: "HUVEC", attempts: 3, code: "internal", reason: "no" });
  await folder.finish({ seconds: 1 });
  return dir;
};

const flip = async (path: string, at: number) => {
  const bytes = await readFile(path);
  bytes[at]! ^= 4;
  await writeFile(path, bytes);
};

for (const file of ["report.json", "wells.json", "features.f32"]) {
  const kinds: Record<string, (path: string) => Promise<unknown>> = {
    emptied: (path) => truncate(path),
    "cut off": async (path) => truncate(path, (await stat(path)).size - 3),
    deleted: (path) => rm(path),
    "flipped in a bit": (path) => flip(path, file === "report.json" ? 0 : 3),
    "another's": (path) => writeFile(path, file === "features.f32" ? new Uint8Array(4) : "[]"),
    longer: (path) => writeFile(path, "xx", { flag: "a" }),
  };
  for (const [kind, damage] of Object.entries(kinds)) {
    test(`an experiment whose ${file} is ${kind} is named with its file, and called again`, async (t) => {
      const dir = await finished(t);
      const path = join(dir, "experiments", "HUVEC-02", file);
      await damage(path);
      const { folder, damage: found } = await open(dir);
      assert.equal(found.length, 1);
      assert.match(found[0]!, new RegExp(`^${path} .*damaged`));
      assert.deepEqual([...folder.done()], ["HUVEC-01"]);
      await folder.write(resultOf("HUVEC-02", [{ well: "B02", called: "1" }]));
      assert.equal((await folder.finish({ seconds: 1 })).experiments.length, 2);
      const again = await open(dir);
      assert.deepEqual(again.damage, []);
      await again.folder.close();
    });
  }
}

test("an origin that is damaged is refused with its name, and cleared by fresh", async (t) => {
  for (const text of ["", "{", "[]", "null", '{"data": 1}']) {
    const dir = await finished(t);
    await writeFile(join(dir, "origin.json"), text);
    await assert.rejects(open(dir), new RegExp(`\\[invalid-data\\] ${join(dir, "origin.json")}`), text);
    const { folder } = await open(dir, true);
    assert.equal(folder.done().size, 0);
    await folder.close();
  }
});

test("a failure of an earlier process is reported, and only one of this process counts for the exit code", async (t) => {
  const dir = await finished(t);
  await writeFile(join(dir, "failures", "HUVEC-04.json"), "");
  const { folder } = await open(dir);
  const { failures, failedNow } = await folder.finish({ seconds: 1 });
  assert.deepEqual(
    failures.map(({ experiment }) => experiment),
    ["HUVEC-03", "HUVEC-04"],
  );
  assert.match(failures[1]!.reason, /HUVEC-04\.json is damaged/);
  assert.deepEqual(failedNow, []);
});

test("a folder in which another program has written a file of that name is refused, with and without fresh", async (t) => {
  for (const name of ["calls.csv", "run.json", "experiments", "events.jsonl"]) {
    const dir = await temporaryFolder(t);
    if (name === "experiments") await mkdir(join(dir, name));
    else await writeFile(join(dir, name), "precious");
    for (const fresh of [false, true])
      await assert.rejects(open(dir, fresh), new RegExp(`${dir} holds ${name}, which no run`));
    assert.deepEqual(await readdir(dir), [name]);
  }
});

test("fresh removes what runs wrote, and leaves what others put between it", async (t) => {
  const dir = await finished(t);
  const theirs = ["notes.txt", "experiments/notes.txt", "experiments/HUVEC-01/notes.txt", "failures/notes.txt"];
  for (const name of theirs) await writeFile(join(dir, name), "precious");
  const { folder } = await open(dir, true);
  await folder.close();
  for (const name of theirs) assert.equal(await readFile(join(dir, name), "utf8"), "precious");
  const left = (await readdir(dir, { recursive: true })).filter((name) => !name.startsWith(".lock")).sort();
  assert.deepEqual(left, ["experiments", "experiments/HUVEC-01", "failures", "origin.json", ...theirs].sort());
});

test("a folder that cannot be made is refused in words", async (t) => {
  const file = join(await temporaryFolder(t), "file");
  await writeFile(file, "");
  await assert.rejects(
    open(join(file, "run")),
    /\[invalid-config\] .*file\/run cannot be a folder for results: a part of its path is a file/,
  );
  await assert.rejects(open(file), /\[invalid-config\] .*file cannot be a folder for results: .*is a file/);
});

test("results are taken over only while the table and the images are as they were", async (t) => {
  const data = await temporaryFolder(t);
  const image = join(data, "a.png");
  await writeFile(image, "pixels");
  const result = resultOf("HUVEC-01", [{ well: "B02", called: "1" }]);
  const sites = result.experiment.sites.map((site) => ({
    ...site,
    images: [imageAt(image), imageAt("https://lab/b.png")],
  }));
  const experiment: Experiment = { ...result.experiment, sites };
  const dir = await temporaryFolder(t);
  const { folder } = await open(dir);
  await folder.write({ ...result, experiment, inputs: await readInputs(experiment) });
  const check = (now: Experiment) => folder.checkInputs(["HUVEC-01", "HUVEC-02"], async () => now);
  await check(experiment);

  const relabelled = { ...experiment, sites: sites.map((site) => ({ ...site, treatment: "7" })) };
  await assert.rejects(check(relabelled), /\[invalid-config\].*the table says something else about HUVEC-01.*--fresh/);
  await utimes(image, 1, 1);
  await assert.rejects(check(experiment), /image files of HUVEC-01 have another size or time/);
  await rm(image);
  await assert.rejects(check(experiment), /image files of HUVEC-01/);
  await folder.close();
});
