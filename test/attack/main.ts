/**
 * `npm run attack -- [--only NAME]... [--json]`: puts bad inputs into real processes, one after the other, and prints what
 * became of each. A name is any part of a door or an input; without one, all. Exits with 1 when any row is not clear.
 * PLATESTREAM_PROGRAM attacks another build: the path of its main.js.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type { Attack } from "./attack.ts";
import { doors } from "./doors.ts";
import { killAll } from "./ended.ts";
import { type Fixtures, openFixtures } from "./fixtures.ts";
import { openScene } from "./scene.ts";
import { crashed, hung, unclear, type Verdict } from "./verdict.ts";

const defaultLimitSeconds = 90;

interface Row extends Verdict {
  readonly door: string;
  readonly input: string;
  readonly before: string;
  readonly seconds: number;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

const play = async (attack: Attack, folder: string, fixtures: Fixtures): Promise<Verdict> => {
  const limitSeconds = (attack.limitSeconds ?? defaultLimitSeconds) * fixtures.slowness;
  await mkdir(folder, { recursive: true });
  const scene = openScene(folder, fixtures);
  const late = sleep(limitSeconds * 1000, undefined, { ref: false }).then(() =>
    hung(`not over after ${limitSeconds.toFixed(0)} s; last heard: ${scene.lastHeard()}`),
  );
  try {
    const verdict = await Promise.race([attack.run(scene), late]).catch(({ message }: Error) =>
      unclear(`${message.replaceAll(/\s+/g, " ").slice(0, 400)}; last heard: ${scene.lastHeard()}`),
    );
    return fixtures.workerDied() ? crashed(`the worker died: ${verdict.now}`) : verdict;
  } finally {
    await Promise.race([scene.close(), sleep(10_000, undefined, { ref: false })]).catch(({ message }) => say(message));
    killAll();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: { only: { type: "string", multiple: true, default: [] }, json: { type: "boolean", default: false } },
  });
  const fits = (name: string) => values.only.length === 0 || values.only.some((part) => name.includes(part));
  const chosen = doors.flatMap(({ name, attacks }) =>
    attacks.filter(({ input }) => fits(`${name}: ${input}`)).map((attack) => ({ door: name, attack })),
  );
  if (chosen.length === 0) {
    say(`no row is called ${values.only.join(" or ")}; the doors are ${doors.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), "platestream-attack-"));
  const fixtures = await openFixtures(folder);
  try {
    const rows: Row[] = [];
    for (const [index, { door, attack }] of chosen.entries()) {
      const started = Date.now();
      const verdict = await play(attack, join(folder, String(index)), fixtures);
      const row = {
        door,
        input: attack.input,
        before: attack.before,
        ...verdict,
        seconds: (Date.now() - started) / 1000,
      };
      say(`${row.kind.padEnd(7)} ${door}: ${row.input} (${row.seconds.toFixed(1)} s)`);
      if (row.kind !== "clear") say(`          ${row.now}`);
      if (values.json) process.stdout.write(`${JSON.stringify({ type: "row", ...row })}\n`);
      rows.push(row);
    }
    if (!values.json) process.stdout.write(`${render(rows)}\n`);
    const kinds = ["unclear", "hung", "crashed"] as const;
    const counts = kinds.map((kind) => [`attack.${kind}`, rows.filter((row) => row.kind === kind).length] as const);
    for (const [figure, value] of [["attack.rows", rows.length] as const, ...counts]) {
      process.stdout.write(values.json ? `${JSON.stringify({ figure, value })}\n` : `${figure.padEnd(16)} ${value}\n`);
    }
    return counts.some(([, count]) => count > 0) ? 1 : 0;
  } finally {
    await fixtures.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

const render = (rows: readonly Row[]): string => {
  const table = new Table({
    head: ["door", "input", "before", "now", ""],
    style: { head: [], border: [] },
    colWidths: [16, 32, 40, 60, 9],
    wordWrap: true,
  });
  for (const { door, input, before, now, kind } of rows) table.push([door, input, before, now, kind]);
  return table.toString();
};

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.exit(await main());
