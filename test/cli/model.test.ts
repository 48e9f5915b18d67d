import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeStatistics, packStatistics, statisticsCount } from "../../common/norm-statistics.ts";
import { packageFile } from "../../common/package-file.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { normLayers } from "../../gpu-worker/network/architecture.ts";
import { float32, type Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import { assertClose, cpu } from "../gpu-worker/parity-case.ts";
import { tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));

/** Runs `pipeline model …`. */
const model = (...words: string[]): Promise<{ code: number; out: string; error: string }> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [main, "model", ...words], (_, out, error) =>
      resolve({ code: child.exitCode!, out, error }),
    );
  });

const small = ["--arch", "densenet-small", "--size", "64"];
const torchvision = packageFile("test/data/parity/tiny/weights.safetensors");

/** Two experiments of two plates; classes 0 to 3 and 4 to 7 share a plate, class 8 is a control on every plate. */
const writeLayout = async (folder: string): Promise<void> => {
  const rows = ["experiment,plate,well,site,well_type,sirna_id"];
  for (const [index, experiment] of ["HUVEC-01", "RPE-01"].entries()) {
    for (const plate of [1, 2]) {
      const first = (plate - 1 + index) % 2 === 0 ? 0 : 4;
      for (let well = 0; well < 4; well++)
        rows.push(`${experiment},${plate},B0${well + 2},1,treatment,${first + well}`);
      rows.push(`${experiment},${plate},C02,1,negative_control,8`);
    }
  }
  await mkdir(join(folder, "images"), { recursive: true });
  await writeFile(join(folder, "metadata.csv"), `${rows.join("\n")}\n`);
};

test("a new bundle learns its classes, controls, plate groups and cell types from a dataset", async (t) => {
  const folder = await temporaryFolder(t);
  const [data, out] = [join(folder, "data"), join(folder, "mine")];
  await writeLayout(data);
  const { out: said, error } = await model("new", ...small, "--layout", data, "--out", out);
  assert.match(
    said,
    /mine [0-9a-f]{12}, densenet-small for 6x64x64 images, 9 classes, 2 plate groups; HUVEC, RPE/,
    error,
  );
  assert.match(said, /untrained/);
  const { manifest, weights } = await readBundle(out);
  assert.deepEqual(manifest.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
  assert.deepEqual(manifest.controls, [8]);
  assert.deepEqual(manifest.plateGroups, [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
  assert.notDeepEqual(weights.get("HUVEC")?.get("classifier.weight"), weights.get("RPE")?.get("classifier.weight"));

  const again = await model("new", ...small, "--layout", data, "--out", out);
  assert.equal(again.code, 2);
  assert.match(again.error, /mine is a bundle already, which would be overwritten/);
});

test("a size that makes no network is refused, and nothing is left", async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, "new");
  for (const size of ["0", "3", "100000000"]) {
    const options = ["--arch", "densenet-small", "--size", size, "--classes", "4", "--cell-types", "A"];
    const { code, error } = await model("new", ...options, "--out", out);
    assert.equal(code, 2, size);
    assert.match(error, /^pipeline: \[invalid-config\] /);
    assert.deepEqual(await readdir(folder), [], size);
  }
});

test("equal seeds give equal bundles", async (t) => {
  const folder = await temporaryFolder(t);
  const make = (name: string, seed: string) =>
    model(
      "new",
      ...small,
      "--classes",
      "3",
      "--cell-types",
      "HUVEC",
      "--name",
      "n",
      "--seed",
      seed,
      "--out",
      join(folder, name),
    );
  await Promise.all([make("a", "1"), make("b", "1"), make("c", "2")]);
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => readBundle(join(folder, name))));
  assert.equal(a?.version, b?.version);
  assert.notEqual(a?.version, c?.version);
});

test("info shows what a bundle holds, and every file that is wrong", async (t) => {
  const bundle = await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] });
  const { out } = await model("info", bundle);
  assert.match(out, /^tiny\n {2}version +[0-9a-f]{12}\n {2}network +custom, [\d,]+ parameters/);
  assert.match(out, /HUVEC +trained\n {2}RPE +trained\n$/);
  const { out: json } = await model("info", bundle, "--json");
  assert.equal(JSON.parse(json).version, (await readBundle(bundle)).version);

  for (const file of await readdir(bundle)) {
    if (file.endsWith(".safetensors")) await writeFile(join(bundle, file), "cut off");
  }
  const { code, error } = await model("info", bundle);
  assert.equal(code, 2);
  assert.match(error, /cannot be used:\n {2}- HUVEC\.safetensors has SHA-256 .*\n {2}- RPE\.safetensors has SHA-256/);
});

test("PyTorch's weights are added to a bundle, whose network counts", async (t) => {
  const bundle = await writeTinyBundle(t);
  const { out } = await model("import", torchvision, "--cell-types", "RPE", "--out", bundle);
  assert.match(out, /the networks for RPE come from .*weights\.safetensors/);
  const { weights } = await readBundle(bundle);
  assert.deepEqual(weights.get("RPE"), weights.get("HUVEC"));
  const { code, error } = await model("import", torchvision, "--cell-types", "RPE", "--size", "64", "--out", bundle);
  assert.equal(code, 2);
  assert.match(error, /says what its networks are: leave out --size/);
});

test("weights of another network are refused with its name where it has one", async (t) => {
  const folder = await temporaryFolder(t);
  await model("new", ...small, "--classes", "3", "--cell-types", "U2OS", "--out", join(folder, "small"));
  const { code, error } = await model(
    ...["import", join(folder, "small", "U2OS.safetensors"), "--cell-types", "U2OS", "--out", join(folder, "large")],
  );
  assert.equal(code, 2);
  assert.match(error, /U2OS\.safetensors does not hold the weights of this network \(.*it is a densenet-small\):/);
});

test("an exported network computes the reference's numbers in any ONNX runtime", async (t) => {
  const bundle = await writeTinyBundle(t);
  const file = join(bundle, "network.onnx");
  const logitsOf = async (from: number, to: number, statistics: Tensors = {}) => {
    const session = await cpu.load(await readFile(file), { threads: 1 });
    const { logits } = await session.run({ ...tiny.inputs(from, to), ...statistics });
    await session.close();
    return logits!.data as Float32Array;
  };
  const { out } = await model("export", bundle, "--onnx", file);
  assert.match(out, /input {2}pixels \[N, 6, 32, 32\] uint8\n/);
  assertClose(await logitsOf(0, 8), tiny.expected("running.logits"), "stored statistics");

  const calibrated = new Map(
    [...tiny.tensors].flatMap(([name, { data }]) =>
      name.startsWith("calibrated.stats.") && data instanceof Float32Array
        ? [[name.slice("calibrated.stats.".length), data]]
        : [],
    ),
  );
  const statistics = join(bundle, "plate.safetensors");
  await writeFile(statistics, encodeStatistics(calibrated).data);
  await model("export", bundle, "--onnx", file, "--statistics", statistics);
  assertClose(await logitsOf(24, 32), tiny.expected("calibrated.logits"), "calibrated statistics");

  const given = await model("export", bundle, "--onnx", file, "--statistics", "input");
  const layers = normLayers(tiny.architecture);
  const { mean, variance } = packStatistics(layers, calibrated);
  assert.ok(given.out.includes(`input  mean, variance [${statisticsCount(layers)}] float32`), given.out);
  const inputs = { mean: float32(mean, [mean.length]), variance: float32(variance, [variance.length]) };
  assertClose(await logitsOf(24, 32, inputs), tiny.expected("calibrated.logits"), "statistics as inputs");

  const { code, error } = await model("export", bundle, "--onnx", file, "--cell-type", "RPE");
  assert.equal(code, 2);
  assert.match(error, /has no network for cell type "RPE"; it has HUVEC/);
});

test("a model repository holds four models of every network, and is asked for alone", async (t) => {
  const bundle = await writeTinyBundle(t, { cellTypes: ["HUVEC", "RPE"] });
  const repository = join(bundle, "repository");
  const { out } = await model("export", bundle, "--repository", repository, "--pixels", "uint16");
  assert.match(out, /tiny\.RPE: .*--worker triton:\/\/HOST:8001\/tiny\.RPE\n/);
  const names = (await readdir(repository)).sort();
  assert.deepEqual(
    names,
    ["HUVEC", "RPE"].flatMap((each) => ["", ".about", ".batch", ".calibrate"].map((task) => `tiny.${each}${task}`)),
  );
  for (const name of names) assert.ok((await readFile(join(repository, name, "1/model.onnx"))).length > 100, name);
  const config = await readFile(join(repository, "tiny.HUVEC/config.pbtxt"), "utf8");
  assert.match(config, /\{ name: "pixels" data_type: TYPE_UINT16 dims: \[-1, 6, 32, 32\] \}/);
  for (const wrong of [[], ["--onnx", "a.onnx", "--repository", repository]]) {
    const { code, error } = await model("export", bundle, ...wrong);
    assert.equal(code, 2);
    assert.match(error, /say either --onnx FILE, for one network, or --repository DIR/);
  }
});
