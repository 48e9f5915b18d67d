/** Bundles: a manifest and weights from elsewhere. */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../../../common/safetensors.ts";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { refused, unclear, type Verdict } from "../verdict.ts";

interface Manifest {
  architecture: Record<string, unknown>;
  cellTypes: Record<string, { weights: string; sha256: string }>;
}

const weightsFile = "HUVEC.safetensors";

/** A worker must refuse the bundle, and say which file is wrong. */
const serves = async (scene: Scene, model: string, ...names: RegExp[]): Promise<Verdict> => {
  const options = ["--provider", "cpu", "--listen", "127.0.0.1:0"];
  const ended = await scene.shell(`exec timeout 40 $PIPELINE worker --model ${model} ${options.join(" ")}`);
  if (ended.code === 124)
    return unclear(/ready/.test(ended.out) ? "says that it is ready" : "neither ready nor over after 40 s");
  return refused(ended, ...names);
};

const manifest = (input: string, before: string, change: (manifest: Manifest) => unknown): Attack => ({
  input: `bundle.json: ${input}`,
  before,
  async run(scene) {
    const model = await scene.copyModel();
    const path = join(model, "bundle.json");
    const changed = change(JSON.parse(await readFile(path, "utf8")));
    await writeFile(path, typeof changed === "string" ? changed : JSON.stringify(changed));
    return serves(scene, model, /bundle\.json|model/);
  },
});

const architecture = (change: Record<string, unknown>) => (given: Manifest) => {
  Object.assign(given.architecture, change);
  return given;
};

/** Other weights, whose hash is right. */
const weights = (input: string, before: string, change: (bytes: Buffer) => Uint8Array): Attack => ({
  input: `weights: ${input}`,
  before,
  async run(scene) {
    const model = await scene.copyModel();
    const bytes = change(await readFile(join(model, weightsFile)));
    await writeFile(join(model, weightsFile), bytes);
    const path = join(model, "bundle.json");
    const given: Manifest = JSON.parse(await readFile(path, "utf8"));
    given.cellTypes.HUVEC!.sha256 = createHash("sha256").update(bytes).digest("hex");
    await writeFile(path, JSON.stringify(given));
    return serves(scene, model, /HUVEC\.safetensors/);
  },
});

const header =
  (change: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => unknown) =>
  (bytes: Buffer) => {
    const length = Number(bytes.readBigUInt64LE(0));
    const text = Buffer.from(JSON.stringify(change(JSON.parse(bytes.toString("utf8", 8, 8 + length)))));
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([head, text, bytes.subarray(8 + length)]);
  };

/** Something else than a file where the weights should be. */
const special = (input: string, make: string): Attack => ({
  input: `weights: ${input}`,
  before: "hung without a word",
  async run(scene) {
    const model = await scene.copyModel();
    await rm(join(model, weightsFile));
    await scene.shell(`cd ${model} && ${make} ${weightsFile}`);
    return serves(scene, model, /HUVEC\.safetensors/);
  },
});

/** `pipeline model new` with sizes that make no network: refused, and nothing may be left. */
const fresh = (input: string, before: string): Attack => ({
  input: `model new ${input}`,
  before,
  async run(scene) {
    const out = scene.path("new");
    const given = input.includes("--classes") ? [] : ["--classes", "4"];
    const options = [...input.split(" "), ...given, "--cell-types", "A", "--out", out];
    const verdict = refused(await scene.pipeline(["model", "new", "--arch", "densenet-small", ...options]));
    const left = await readdir(out).catch(() => []);
    return verdict.kind === "clear" && left.length > 0 ? unclear(`refused, and left ${left.join(", ")}`) : verdict;
  },
});

export const bundles: Door = {
  name: "bundles",
  attacks: [
    manifest("null", "refused", () => "null"),
    manifest("cut off", "refused", (given) => JSON.stringify(given).slice(0, 100)),
    manifest("blocks of 1e9 layers", "hung, at full load", architecture({ blocks: [1e9] })),
    manifest("a growth rate of 1e9", "an allocation that failed, with a stack", architecture({ growth: 1e9 })),
    manifest("images of 1e9 pixels a side", "hung or died", architecture({ height: 1e9, width: 1e9 })),
    manifest("weights outside the folder", "read, and refused for their hash", (given) => {
      given.cellTypes.HUVEC!.weights = "../../../../../etc/passwd";
      return given;
    }),
    manifest("a cell type called __proto__", "refused", (given) =>
      JSON.stringify(given).replace('"HUVEC":', '"__proto__":'),
    ),
    weights("empty", "refused", () => Buffer.alloc(0)),
    weights("cut in the middle", "refused", (bytes) => bytes.subarray(0, bytes.length / 2)),
    weights(
      "header is null",
      "a TypeError among the problems",
      header(() => null),
    ),
    weights("header longer than all", "refused", (bytes) => {
      bytes.writeBigUInt64LE(2n ** 62n);
      return bytes;
    }),
    weights(
      "dtype __proto__",
      "a TypeError among the problems",
      header((entries) => {
        Object.values(entries).at(-1)!.dtype = "__proto__";
        return entries;
      }),
    ),
    weights(
      "a tensor of half its length",
      "ready, and served",
      header((entries) => {
        const offsets = Object.values(entries).at(-1)!.data_offsets;
        offsets[1] = offsets[0]! + (offsets[1]! - offsets[0]!) / 2;
        return entries;
      }),
    ),
    weights("NaN", "refused", (bytes) => {
      const tensors = readSafetensors(bytes, weightsFile);
      ([...tensors.values()][0]!.data as Float32Array)[0] = Number.NaN;
      return writeSafetensors(tensors);
    }),
    special("a FIFO", "mkfifo"),
    special("a link to /dev/zero", "ln -s /dev/zero"),
    special("a folder", "mkdir"),
    special("a link to itself", `ln -s ${weightsFile}`),
    fresh("--size 0", "refused after it had left 28 MB"),
    fresh("--size 3", "refused after it had left 28 MB"),
    fresh("--size 100000000", "made, and no worker could serve it"),
    fresh("--classes 1000000000", "died of a lack of memory"),
    {
      input: "model import: a FIFO",
      before: "hung without a word",
      async run(scene) {
        const fifo = await fifoAt(scene, "weights.safetensors");
        const options = ["--cell-types", "A", "--out", scene.path("out")];
        return refused(
          await scene.pipeline(["model", "import", fifo, ...options], { limitSeconds: 30 }),
          /weights\.safetensors/,
        );
      },
    },
    {
      input: "model new --out below a file",
      before: "[internal] ENOTDIR and a stack",
      async run(scene) {
        await writeFile(scene.path("file"), "");
        const options = ["--arch", "densenet-small", "--size", "32", "--classes", "3", "--cell-types", "A"];
        return refused(await scene.pipeline(["model", "new", ...options, "--out", scene.path("file", "x")]), /file/);
      },
    },
    {
      input: "model info of a folder without a bundle",
      before: "refused",
      run: async (scene) => refused(await scene.pipeline(["model", "info", scene.folder]), /bundle/),
    },
  ],
};

export const fifoAt = async (scene: Scene, name: string): Promise<string> => {
  const { code, err } = await scene.run("mkfifo", [scene.path(name)]);
  if (code !== 0) throw new Error(err);
  return scene.path(name);
};
