/** The thread in which a target is tried: it keeps the inputs that reach new branches, and mutates those. */
import { mkdir } from "node:fs/promises";
import { register } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { CoverageMapData } from "istanbul-lib-coverage";
import { PlatestreamError } from "../../common/errors.ts";
import { seededRandom } from "../../common/random.ts";
import { mutate } from "./mutate.ts";
import { NotAnInput, type Try } from "./target.ts";
import { targets } from "./targets.ts";

export interface Task {
  readonly target: string;
  readonly folder: string;
  readonly seconds: number;
  readonly seed: string;
  /** Inputs that were kept before. */
  readonly corpus: readonly Uint8Array[];
  /** [count, length of the input that is tried], and behind them the input. */
  readonly shared: SharedArrayBuffer;
}

export interface Finding {
  readonly kind: "crash" | "hang" | "memory";
  readonly input: Uint8Array;
  readonly what: string;
}

export interface Outcome {
  readonly inputs: number;
  readonly findings: readonly Finding[];
  readonly coverage: CoverageMapData;
  /** New inputs that each reached something that none before did. */
  readonly kept: readonly Uint8Array[];
}

const root = new URL("../../", import.meta.url);
/** Of one target; the first are enough to work on. */
const mostFindings = 20;

const main = async ({ target: name, folder, seconds, seed, corpus: given, shared }: Task): Promise<Outcome> => {
  const target = targets.find((each) => each.name === name)!;
  const urls = target.parsers.map((path) => new URL(path.replace(/\.ts$/, ".js"), root).href);
  register("./instrument.js", import.meta.url, { data: { urls } }); // before the target imports its parsers
  await mkdir(folder, { recursive: true });
  const attempt = await target.open(folder);

  const [numbers, room] = [new Int32Array(shared, 0, 2), new Uint8Array(shared, 8)];
  const coverage = (): CoverageMapData =>
    ((globalThis as { __coverage__?: CoverageMapData }).__coverage__ ?? {}) as CoverageMapData;
  const seen = new Set<string>();
  const findings = new Map<string, Finding>();
  const random = seededRandom(seed);
  let inputs = 0;

  /** Whether it reached a branch that none before did, or one more often. */
  const isNew = (): boolean => {
    let found = false;
    for (const [file, data] of Object.entries(coverage())) {
      const { b } = data as unknown as { b: Record<string, number[]> };
      for (const [branch, arms] of Object.entries(b)) {
        for (const [arm, count] of arms.entries()) {
          if (count === 0) continue;
          const key = `${file} ${branch} ${arm} ${Math.min(4, Math.floor(Math.log2(count)))}`;
          found ||= !seen.has(key);
          seen.add(key);
        }
        totals(file, branch, arms);
        arms.fill(0);
      }
    }
    return found;
  };
  const all = new Map<string, number[]>();
  const totals = (file: string, branch: string, arms: readonly number[]): void => {
    const key = `${file} ${branch}`;
    const sum = all.get(key) ?? arms.map(() => 0);
    all.set(
      key,
      sum.map((each, arm) => each + arms[arm]!),
    );
  };

  const once = async (input: Uint8Array): Promise<boolean> => {
    room.set(input.subarray(0, room.length));
    numbers[1] = input.length;
    Atomics.store(numbers, 0, ++inputs);
    const finding = await tryInput(attempt, input);
    if (finding !== undefined && !findings.has(finding.what)) findings.set(finding.what, finding);
    return isNew();
  };

  const corpus: Uint8Array[] = [];
  const seeds = typeof target.seeds === "function" ? await target.seeds() : target.seeds;
  for (const input of [...seeds.map((each) => Buffer.from(each)), ...given]) {
    await once(input);
    corpus.push(input);
  }
  const before = process.memoryUsage.rss();
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end && findings.size < mostFindings) {
    const input = mutate(corpus[Math.floor(random() * corpus.length)]!, random, corpus, target.words ?? []);
    if (await once(input)) corpus.push(input);
    if (inputs % 64 !== 0) continue;
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    if (grown > (target.memoryMiB ?? 256)) {
      findings.set("memory", { kind: "memory", input, what: `${grown.toFixed(0)} MiB more than before` });
      break;
    }
  }
  for (const [file, data] of Object.entries(coverage())) {
    const { b } = data as unknown as { b: Record<string, number[]> };
    for (const branch of Object.keys(b)) b[branch] = all.get(`${file} ${branch}`) ?? b[branch]!;
  }
  return {
    inputs,
    findings: [...findings.values()],
    coverage: coverage(),
    kept: corpus.slice(seeds.length + given.length),
  };
};

const tryInput = async (attempt: Try, input: Uint8Array): Promise<Finding | undefined> => {
  try {
    await attempt(input);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof NotAnInput) return undefined;
    if (thrown instanceof PlatestreamError && thrown.code !== "internal" && thrown.code !== "system") return undefined;
    const { stack = String(thrown) } = thrown as Error;
    const [first, ...places] = stack.split("\n");
    const place = places.find((line) => line.includes("/dist/") && !line.includes("/fuzz/")) ?? "";
    const what = `${first!.replaceAll(/\d+/g, "N").slice(0, 200)} ${place.trim().replace(/^at .*\/dist\//, "in ")}`;
    return { kind: "crash", input: Uint8Array.from(input), what };
  }
};

parentPort!.postMessage(await main(workerData as Task));
