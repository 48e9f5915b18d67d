/**
 * What the package of `npm run pack:gpu` runs on its host: parity of every provider, a training step on those that train,
 * and images per second. `gpu-host.js FILE` writes all of it to FILE as JSON, and ends within five minutes.
 */
import { writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { nvidiaCards } from "../gpu-worker/runtime/diagnose.ts";
import type { Figure } from "./figure.ts";
import { gpu } from "./gpu.ts";
import { jsonProcess } from "./json-process.ts";
import { providers } from "./providers.ts";
import type { TrainingAnswer } from "./training-process.ts";

const file = process.argv[2]!;
const limitMs = 290_000;
const figures: Figure[] = [];
const said: string[] = [];
const training: Record<string, TrainingAnswer | undefined> = {};

const write = async (complete: boolean) => {
  const host = { system: `${process.platform} ${release()}`, node: process.version, processor: cpus()[0]?.model };
  const answer = { complete, host, cards: await nvidiaCards(), figures, training, said };
  await writeFile(file, `${JSON.stringify(answer, undefined, 2)}\n`);
};
const say = (line: string) => {
  said.push(line);
  process.stderr.write(`${line}\n`);
};

const late = setTimeout(async () => {
  await write(false);
  process.exit(3);
}, limitMs);
await providers.run((figure) => figures.push(figure), say);
for (const provider of ["cuda", "webgpu", "tfjs-webgpu"]) {
  training[provider] = await jsonProcess<TrainingAnswer>("./training-process.js", [provider], 60_000);
  say(`training on ${provider}: ${JSON.stringify(training[provider])}`);
}
await gpu.run((figure) => figures.push(figure), say);
clearTimeout(late);
await write(true);
