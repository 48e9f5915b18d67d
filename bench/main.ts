/**
 * `npm run bench -- NAME [--json]`: measures, and prints every figure beside its reference and their ratio.
 * Without a name it lists the benches. With --json, one object per figure on stdout, and what is said on stderr.
 */
import type { Bench, Figure } from "./figure.ts";

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  infer: async () => (await import("./infer.ts")).infer,
  peers: async () => (await import("./peers.ts")).peers,
  providers: async () => (await import("./providers.ts")).providers,
  gpu: async () => (await import("./gpu.ts")).gpu,
  wire: async () => (await import("./wire.ts")).wire,
  pipeline: async () => (await import("./pipeline.ts")).pipeline,
  memory: async () => (await import("./memory.ts")).memory,
  ladder: async () => (await import("./ladder.ts")).ladder,
  adapt: async () => (await import("./adapt.ts")).adapt,
  confidence: async () => (await import("./confidence.ts")).confidence,
  train: async () => (await import("./train.ts")).train,
  intake: async () => (await import("./intake.ts")).intake,
  view: async () => (await import("./view.ts")).view,
  scale: async () => (await import("./scale.ts")).scale,
  oip: async () => (await import("./open-inference.ts")).openInference,
  growth: async () => (await import("./growth.ts")).growth,
};

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const json = process.argv.includes("--json");
const say = (line: string) => process.stderr.write(`${line}\n`);

const print = (figure: Figure) => {
  const { figure: name, value, unit, reference, ratio } = figure;
  const line = json
    ? JSON.stringify(figure)
    : `${name.padEnd(34)} ${value.toPrecision(4).padStart(9)} ${unit.padEnd(10)} reference ${reference.toPrecision(4).padStart(9)}   ratio ${ratio.toFixed(3)}`;
  process.stdout.write(`${line}\n`);
};

const unknown = names.filter((name) => !(name in benches));
if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) say(`there is no bench ${unknown.join(", ")}`);
  say("npm run bench -- NAME [--json]");
  for (const [name, load] of Object.entries(benches)) say(`  ${name.padEnd(12)} ${(await load()).description}`);
  process.exitCode = unknown.length > 0 ? 2 : 0;
}
for (const name of unknown.length > 0 ? [] : names) {
  const { run, description } = await benches[name]!();
  say(`${name}: ${description}`);
  await run(print, say);
}
