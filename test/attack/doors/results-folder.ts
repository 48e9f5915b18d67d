/** A run's folder that somebody or something has damaged: the same command again must put it right, or name the file. */
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, refused, unclear, type Verdict } from "../verdict.ts";

interface Damage {
  readonly name: string;
  readonly apply: (path: string, scene: Scene) => Promise<unknown>;
}

const replace = (name: string, text: string): Damage => ({ name, apply: (path) => writeFile(path, text) });
const shell = (name: string, command: string): Damage => ({
  name,
  apply: async (path, scene) => {
    await rm(path, { recursive: true });
    await scene.shell(`${command} '${path}'`);
  },
});

const half: Damage = {
  name: "cut in the middle",
  apply: async (path) => truncate(path, Math.floor((await readFile(path)).length / 2)),
};
const flipped: Damage = {
  name: "a byte flipped",
  apply: async (path) => {
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 0x15;
    await writeFile(path, bytes);
  },
};
const missing: Damage = { name: "missing", apply: (path) => rm(path, { recursive: true }) };
const empty = replace("empty", "");
const asJson = [empty, half, replace("null", "null"), replace("a list", "[]"), replace("{}", "{}"), missing];
const asFile = [shell("a folder", "mkdir"), shell("a FIFO", "mkfifo"), shell("a link to itself", "ln -s self")];

const internal = "[internal] and a stack without the file's name, at this start and each one after";
const silent = "exit code 0, with half the calls or none";

/** What the table says of before, by file. */
const befores: Readonly<Record<string, string>> = {
  "bus.json": `${silent} (empty), else ${internal}`,
  "events.jsonl": `${silent} (empty, cut), else ${internal}`,
};

const start = async (scene: Scene, damage: (out: string) => Promise<unknown>, file: RegExp): Promise<Verdict> => {
  const out = await scene.copyResults(scene.path("out"));
  await damage(out);
  const ended = await scene.start([], { limitSeconds: 60 });
  if (ended.code !== 0) return refused(ended, file);
  const calls = await readFile(join(out, "calls.csv"), "utf8");
  if (calls !== scene.calls) {
    return unclear(`exit code 0, and ${calls.trimEnd().split("\n").length - 1} of ${scene.wells} calls, or others`);
  }
  const profiles = await readFile(join(out, "profiles.parquet"));
  if (!profiles.equals(scene.profiles)) return unclear("exit code 0, and other profiles than before");
  return published(scene, out);
};

/** Nothing may be published twice or get lost: the stored events have each call once. */
const published = async (scene: Scene, out: string): Promise<Verdict> => {
  const ended = await scene.pipeline(["results", "--run", out, "--from", "start", "--kind", "call", "--json"]);
  if (ended.code !== 0) return refused(ended, /events\.jsonl/);
  const seen = new Set(
    ended.out
      .trimEnd()
      .split("\n")
      .map((line) => {
        const { experiment, plate, well } = JSON.parse(line) as Record<string, string>;
        return `${experiment} ${plate} ${well}`;
      }),
  );
  return seen.size === scene.wells
    ? clear("put right: all calls are there, and published")
    : unclear(`all calls are in calls.csv, and ${seen.size} of ${scene.wells} among the events`);
};

const damaged = (file: string, damages: readonly Damage[]): Attack[] =>
  damages.map(({ name, apply }) => ({
    input: `${file}: ${name}`,
    before: befores[file] ?? internal,
    run: (scene) =>
      start(scene, (out) => apply(join(out, file), scene), new RegExp(file.split("/").at(-1)!.replace(".", "\\."))),
  }));

const piece = "experiments/HUVEC-01";

export const resultsFolder: Door = {
  name: "results folder",
  attacks: [
    ...damaged("origin.json", [...asJson, ...asFile]),
    ...damaged("bus.json", [...asJson, ...asFile]),
    ...damaged("events.jsonl", [
      empty,
      half,
      flipped,
      missing,
      replace("null", "null\n"),
      replace("binary", "\0\u0001\n"),
      ...asFile,
    ]),
    ...damaged(`${piece}/report.json`, asJson),
    ...damaged(`${piece}/wells.json`, asJson),
    ...damaged(`${piece}/features.f32`, [empty, half, missing]),
    ...damaged(piece, [
      missing,
      shell("an empty folder", "mkdir"),
      shell("a file", "touch"),
      shell("a FIFO", "mkfifo"),
    ]),
    ...damaged("run.json", [empty, shell("a folder", "mkdir")]),
    ...damaged("calls.csv", [empty, shell("a folder", "mkdir")]),
    {
      input: "experiments/%: a name that is not an experiment's",
      before: "[internal] URI malformed and a stack",
      run: (scene) => start(scene, (out) => scene.run("mkdir", [join(out, "experiments/%")]), /experiments\/%/),
    },
    {
      input: "failures/HUVEC-01.json of a time before it was done",
      before: "exit code 1 for ever",
      run: (scene) =>
        start(
          scene,
          (out) => writeFile(join(out, "failures/HUVEC-01.json"), JSON.stringify(failure)),
          /HUVEC-01\.json/,
        ),
    },
    {
      input: "failures/HUVEC-01.json: empty",
      before: internal,
      run: (scene) => start(scene, (out) => writeFile(join(out, "failures/HUVEC-01.json"), ""), /HUVEC-01\.json/),
    },
    {
      input: "results --run: the fourth line of events.jsonl is cut",
      before: "[internal] and a stack",
      async run(scene) {
        const out = await scene.copyResults(scene.path("out"));
        const lines = (await readFile(join(out, "events.jsonl"), "utf8")).split("\n");
        lines[3] = lines[3]!.slice(0, 20);
        await writeFile(join(out, "events.jsonl"), lines.join("\n"));
        const ended = await scene.pipeline(["results", "--run", out, "--from", "start"]);
        return refused(ended, /events\.jsonl/);
      },
    },
  ],
};

const failure = { experiment: "HUVEC-01", cellType: "HUVEC", attempts: 3, code: "no-worker", reason: "no worker" };
