/**
 * `npm run fuzz -- [--only NAME]... [--seconds N] [--seed TEXT] [--keep] [--missed] [--json]`: mutates inputs of every parser and door,
 * keeps those that reach new branches, and goes on from them. N seconds (90) are shared by all targets. Reports inputs tried,
 * what was found, and the branches of every parser that were reached; exits with 1 when something was found.
 * A parser of whose branches less than 0.8 were reached is marked. --keep adds what was kept to the corpus in test/fuzz/corpus;
 * --missed shows the branches that were not reached.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import Table from "cli-table3";
import coverageLibrary, { type FileCoverageData } from "istanbul-lib-coverage";
import { packageFile } from "../../common/package-file.ts";
import type { Finding, Outcome, Task } from "./fuzz-thread.ts";
import type { Target } from "./target.ts";
import { targets } from "./targets.ts";

const leastCoverage = 0.8;
/** An input that takes longer hangs. */
const hangSeconds = 10;
const corpusOf = (name: string) => packageFile(join("test/fuzz/corpus", name.replaceAll(" ", "-")));

const say = (line: string) => process.stderr.write(`${line}\n`);

const readCorpus = async (name: string): Promise<Uint8Array[]> => {
  const files = await readdir(corpusOf(name)).catch(() => []);
  return Promise.all(files.sort().map((file) => readFile(join(corpusOf(name), file))));
};

/** The smallest of what was kept, beyond the seeds. */
const writeCorpus = async ({ name }: Target, kept: readonly Uint8Array[]): Promise<void> => {
  const chosen = kept.filter(({ length }) => length > 0 && length <= 600);
  await mkdir(corpusOf(name), { recursive: true });
  for (const input of [...chosen].sort((a, b) => a.length - b.length).slice(0, 12)) {
    const hash = createHash("sha256").update(input).digest("hex").slice(0, 12);
    await writeFile(join(corpusOf(name), hash), input);
  }
};

const fuzz = async (target: Target, folder: string, seconds: number, seed: string): Promise<Outcome> => {
  const shared = new SharedArrayBuffer(8 + 2 ** 17);
  const numbers = new Int32Array(shared, 0, 2);
  const corpus = await readCorpus(target.name);
  const workerData: Task = { target: target.name, folder, seconds, seed, corpus, shared };
  const thread = new Worker(new URL("./fuzz-thread.js", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  const input = () => Uint8Array.from(new Uint8Array(shared, 8, numbers[1]!));
  const lost = (kind: Finding["kind"], what: string): Outcome => ({
    ...{ inputs: numbers[0]!, coverage: {}, kept: [] },
    findings: [{ kind, input: input(), what }],
  });
  const over = new AbortController();
  const watch = async (): Promise<Outcome> => {
    for (let last = -1; ; last = numbers[0]!) {
      await sleep(hangSeconds * 1000, undefined, { signal: over.signal });
      if (last === numbers[0]! && last > 0) return lost("hang", `no end after ${hangSeconds} s`);
    }
  };
  try {
    return await Promise.race([
      once(thread, "message").then(([outcome]) => outcome as Outcome),
      once(thread, "exit").then(([code]) => lost("crash", `the thread ended with ${code}`)),
      watch(),
    ]).catch((error: Error) => lost("memory", error.message));
  } finally {
    over.abort();
    await thread.terminate();
  }
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      seconds: { type: "string", default: "90" },
      seed: { type: "string", default: String(Date.now()) },
      keep: { type: "boolean", default: false },
      missed: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const chosen = targets.filter(
    ({ name }) => values.only.length === 0 || values.only.some((part) => name.includes(part)),
  );
  if (chosen.length === 0) {
    say(`no target is called ${values.only.join(" or ")}; there are ${targets.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  say(`seed ${values.seed}`);
  const folder = await mkdtemp(join(tmpdir(), "platestream-fuzz-"));
  const findingsFolder = join(tmpdir(), "platestream-fuzz-findings");
  const map = coverageLibrary.createCoverageMap({});
  const rows: [string, Outcome][] = [];
  try {
    for (const target of chosen) {
      const outcome = await fuzz(
        target,
        join(folder, String(rows.length)),
        Number(values.seconds) / chosen.length,
        values.seed,
      );
      map.merge(outcome.coverage);
      rows.push([target.name, outcome]);
      if (values.keep) await writeCorpus(target, outcome.kept);
      say(`${target.name}: ${outcome.inputs} inputs, ${outcome.findings.length} findings`);
      for (const { kind, input, what } of outcome.findings) {
        await mkdir(findingsFolder, { recursive: true });
        const path = join(findingsFolder, createHash("sha256").update(input).digest("hex").slice(0, 12));
        await writeFile(path, input);
        say(`  ${kind}: ${what}\n    ${path}: ${JSON.stringify(Buffer.from(input).toString("latin1").slice(0, 150))}`);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  if (values.missed) for (const file of map.files()) await sayMissed(file, map.fileCoverageFor(file).data);
  const covered = map.files().map((file) => {
    const { covered: reached, total } = map.fileCoverageFor(file).toSummary().branches;
    return {
      file: relative(packageFile("dist"), file).replace(/\.js$/, ".ts"),
      reached,
      total,
      share: total === 0 ? 1 : reached / total,
    };
  });
  const count = (kind: Finding["kind"]) =>
    rows.reduce((sum, [, { findings }]) => sum + findings.filter((finding) => finding.kind === kind).length, 0);
  const figures = {
    "fuzz.inputs": rows.reduce((sum, [, { inputs }]) => sum + inputs, 0),
    "fuzz.crashes": count("crash"),
    "fuzz.hangs": count("hang"),
    "fuzz.memory": count("memory"),
    "fuzz.coverage": Math.min(...covered.map(({ share }) => share)),
  };
  for (const each of values.json ? covered : [])
    process.stdout.write(`${JSON.stringify({ type: "parser", ...each })}\n`);
  if (!values.json) process.stdout.write(`${render(rows)}\n${renderCoverage(covered)}\n`);
  for (const [figure, value] of Object.entries(figures)) {
    process.stdout.write(values.json ? `${JSON.stringify({ figure, value })}\n` : `${figure.padEnd(16)} ${value}\n`);
  }
  const found = figures["fuzz.crashes"] + figures["fuzz.hangs"] + figures["fuzz.memory"];
  return found > 0 ? 1 : 0;
};

const sayMissed = async (file: string, { branchMap, b }: FileCoverageData): Promise<void> => {
  const lines = (await readFile(file, "utf8")).split("\n");
  for (const [branch, { type, locations }] of Object.entries(branchMap)) {
    for (const [arm, { start }] of locations.entries()) {
      if (b[branch]![arm]! > 0) continue;
      const at = start.line ?? branchMap[branch]!.loc.start.line;
      say(`${relative(packageFile("dist"), file)}:${at} ${type} ${arm}: ${lines[at - 1]!.trim().slice(0, 110)}`);
    }
  }
};

const render = (rows: readonly [string, Outcome][]): string => {
  const table = new Table({ head: ["target", "inputs", "kept", "findings"], style: { head: [], border: [] } });
  for (const [name, { inputs, kept, findings }] of rows) table.push([name, inputs, kept.length, findings.length]);
  return table.toString();
};

const renderCoverage = (
  covered: readonly { file: string; reached: number; total: number; share: number }[],
): string => {
  const table = new Table({ head: ["parser", "branches", "reached", "share"], style: { head: [], border: [] } });
  for (const { file, total, reached, share } of covered)
    table.push([file, total, reached, `${share.toFixed(2)}${share < leastCoverage ? " (few)" : ""}`]);
  return table.toString();
};

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.exit(await main());
