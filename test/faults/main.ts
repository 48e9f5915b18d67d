/**
 * `npm run faults -- [NAME...]`: breaks real processes, one fault after the other, and prints what became of the
 * experiments. Without a name, all of them; a name is any part of a fault's. Exits with 1 when any row is not as it must be.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Table from "cli-table3";
import { type Fault, faults } from "./faults.ts";
import { type Answers, type Comparison, compare, readAnswers } from "./outcome.ts";
import { runPipeline } from "./processes.ts";
import { openScene, type Scene } from "./scene.ts";

/** A row that takes longer hangs. */
const limitSeconds = 60;
const experiments = ["HUVEC-01", "HUVEC-02", "HUVEC-03", "HUVEC-04"];

interface Row extends Partial<Comparison> {
  readonly fault: string;
  readonly seconds: number;
  /** From the blow until all experiments that were running then are done. */
  readonly recoverySeconds?: number;
  readonly problems: readonly string[];
}

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Runs the scene until everything is settled, and compares it; with no reference, it becomes the reference. */
const play = async (scene: Scene, fault: Fault, reference: Answers): Promise<Omit<Row, "fault" | "seconds">> => {
  await fault.break(scene);
  await scene.settled(experiments);
  const { events, folders } = await scene.finish();
  const comparison = await compare(reference, { events, seen: scene.seen, folders }, experiments);
  const recovered = recovery(scene);
  const problems = [...comparison.wrong];
  if (recovered === undefined) problems.push("nothing was running when it happened");
  const { lost, doubled, different } = comparison;
  for (const [what, names] of Object.entries({ lost, doubled, different })) {
    if (names.length > 0) problems.push(`${what}: ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`);
  }
  return { ...comparison, problems, ...(recovered === undefined ? {} : { recoverySeconds: recovered }) };
};

/** Seconds from the blow until the last experiment that was running then is done. */
const recovery = ({ seen, struckAt = 0 }: Scene): number | undefined => {
  const times = (state: string) =>
    seen.flatMap(({ value }) =>
      value.kind === "state" && value.state === state ? [[value.experiment, Date.parse(value.at)] as const] : [],
    );
  const done = new Map(times("done"));
  const hit = times("started")
    .filter(([experiment, at]) => at <= struckAt && (done.get(experiment) ?? Number.POSITIVE_INFINITY) > struckAt)
    .map(([experiment]) => done.get(experiment)!);
  return hit.length === 0 ? undefined : (Math.max(...hit) - struckAt) / 1000;
};

const within = <T>(seconds: number, work: Promise<T>): Promise<T> =>
  Promise.race([
    work,
    sleep(seconds * 1000, undefined, { ref: false }).then(() => {
      throw new Error(`hangs: not over after ${seconds} s`);
    }),
  ]);

const runFault = async (
  fault: Fault,
  folder: string,
  { data, model }: { readonly data: string; readonly model: string },
  reference: Answers,
): Promise<Row> => {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  const scene = await openScene(folder, { data, model }, fault.arrange);
  try {
    return { fault: fault.name, ...(await within(limitSeconds, play(scene, fault, reference))), seconds: seconds() };
  } catch (error) {
    const complaints = scene.nodes.flatMap(({ name, complaints: said }) =>
      said.slice(-3).map((line) => `${name}: ${line}`),
    );
    return { fault: fault.name, seconds: seconds(), problems: [(error as Error).message, ...complaints] };
  } finally {
    await scene.close();
  }
};

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
    const reference = await undisturbed(join(folder, "undisturbed"), { data, model });
    const rows: Row[] = [];
    for (const [index, fault] of chosen.entries()) {
      const row = await runFault(fault, join(folder, String(index)), { data, model }, reference);
      say(`${row.problems.length === 0 ? "ok  " : "FAIL"} ${row.fault} (${row.seconds.toFixed(1)} s)`);
      for (const problem of row.problems) say(`     ${problem}`);
      rows.push(row);
    }
    process.stdout.write(`${render(rows)}\n`);
    return rows.some(({ problems }) => problems.length > 0) ? 1 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const undisturbed = async (
  folder: string,
  where: { readonly data: string; readonly model: string },
): Promise<Answers> => {
  const scene = await openScene(folder, where, { workers: 1, nodes: 1 });
  try {
    const started = Date.now();
    await within(limitSeconds, scene.settled(experiments));
    const seconds = (Date.now() - started) / 1000;
    const { events, folders } = await scene.finish();
    const answers = await readAnswers(events, folders);
    say(`undisturbed: ${answers.told.size} wells of ${experiments.length} experiments in ${seconds.toFixed(1)} s`);
    return answers;
  } finally {
    await scene.close();
  }
};

const render = (rows: readonly Row[]): string => {
  const table = new Table({
    head: ["fault", "experiments", "lost", "doubled", "equal to undisturbed", "recovery (s)"],
    style: { head: [], border: [] },
  });
  for (const { fault, lost, doubled, different, recoverySeconds, problems } of rows) {
    const equal = problems.length === 0 && different?.length === 0 ? "yes" : "NO";
    const count = (names?: readonly string[]) => names?.length ?? "?";
    table.push([fault, experiments.length, count(lost), count(doubled), equal, recoverySeconds?.toFixed(1) ?? "–"]);
  }
  return table.toString();
};

process.exit(await main(process.argv.slice(2)));
