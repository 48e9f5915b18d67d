/**
 * `npm run faults -- [NAME...]`, or `npm run faults -- --random [--minutes N] [--seed N]`: breaks real processes, one fault after the other, and prints what became of the
 * experiments. Without a name, all of them; a name is any part of a fault's. Exits with 1 when any row is not as it must be.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type { Fault } from "./fault.ts";
import { faults } from "./faults.ts";
import { runPipeline } from "./processes.ts";
import { randomFault } from "./random.ts";
import { type Row, runFault, runUndisturbed } from "./row.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { random: { type: "boolean" }, minutes: { type: "string" }, seed: { type: "string" } },
});

/** The chosen ones, or random ones until the time is over. */
function* rowsToRun(chosen: readonly Fault[]): Generator<Fault> {
  if (options.random !== true) return yield* chosen;
  const seed = Number(options.seed ?? Math.floor(Math.random() * 1e6));
  say(`random faults of seed ${seed}`);
  const until = performance.now() + Number(options.minutes ?? 10) * 60_000;
  for (let index = 0; performance.now() < until; index++) yield randomFault(seed, index);
}

const main = async (wanted: readonly string[]): Promise<number> => {
  const chosen = faults.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  if (chosen.length === 0) {
    say(`no fault is called ${wanted.join(" or ")}; there are:\n${faults.map(({ name }) => `  ${name}`).join("\n")}`);
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), "platestream-faults-"));
  try {
    const [data, model] = [join(folder, "data"), join(folder, "model")];
    const size = ["--size", "64", "--classes", "24", "--plates", "3", "--positive-controls", "2"];
    await runPipeline("data", "synth", data, "--experiments", "HUVEC-01..04", ...size);
    await runPipeline("model", "new", "--arch", "densenet-small", "--size", "64", "--layout", data, "--out", model);
    const reference = await runUndisturbed(join(folder, "undisturbed"), { data, model });
    say(
      `undisturbed: ${reference.published.size} wells are called ${reference.seconds.toFixed(1)} s after the first process`,
    );
    const rows: Row[] = [];
    for (const fault of rowsToRun(chosen)) {
      const row = await runFault(fault, join(folder, String(rows.length)), { data, model }, reference);
      say(`${row.problems.length === 0 ? "ok  " : "FAIL"} ${row.fault} (${row.seconds.toFixed(1)} s)`);
      for (const problem of row.problems) say(problem.replaceAll(/^/gm, "     "));
      rows.push(row);
    }
    process.stdout.write(`${render(rows)}\n`);
    return rows.some(({ problems }) => problems.length > 0) ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const render = (rows: readonly Row[]): string => {
  const table = new Table({
    head: ["fault", "experiments called", "lost", "doubled", "equal", "recovery (s)", "passes"],
    style: { head: [], border: [] },
  });
  for (const { fault, called, lost, doubled, equal, recoverySeconds, problems } of rows) {
    const recovered = recoverySeconds?.toFixed(1) ?? "–";
    table.push([fault, called, lost, doubled, equal ? "yes" : "no", recovered, problems.length === 0 ? "yes" : "NO"]);
  }
  return table.toString();
};

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.exit(await main(positionals));
