/** What `pipeline dead-letters` does. */
import {
  chooseLetters,
  readDeadLetters,
  replayDeadLetters,
  type StoredLetter,
} from "../../pipeline/bus/nats/dead-letters.ts";
import type { BusOptions } from "../parts/with-bus.ts";
import { withBus } from "../parts/with-bus.ts";

export interface DeadLetterOptions extends BusOptions {
  readonly json?: boolean;
}

export const listLetters = (options: DeadLetterOptions): Promise<void> =>
  withBus(options, async (parts) => {
    const letters = await readDeadLetters(parts);
    if (letters.length === 0 && !options.json) process.stderr.write("no experiment failed\n");
    for (const letter of letters) process.stdout.write(`${options.json ? JSON.stringify(letter) : line(letter)}\n`);
  });

export const showLetter = (experiment: string, options: DeadLetterOptions): Promise<void> =>
  withBus(options, async (parts) => {
    const [letter] = chooseLetters(await readDeadLetters(parts), [experiment]);
    process.stdout.write(`${JSON.stringify(letter, null, 2)}\n`);
  });

export const replayLetters = (experiments: readonly string[], options: DeadLetterOptions): Promise<void> =>
  withBus(options, async (parts) => {
    const all = await readDeadLetters(parts);
    const letters = experiments.length === 0 ? all : chooseLetters(all, experiments);
    const { queued, known } = await replayDeadLetters(parts, letters, () => {
      process.stderr.write("the queue is full: waiting for nodes to settle experiments\n");
    });
    process.stdout.write(`${queued} queued${known === 0 ? "" : `, ${known} queued, running or done already`}\n`);
  });

const line = ({ id, attempts, stage, reason, node, at }: StoredLetter): string =>
  `${id}  ${at}  ${attempts} attempt${attempts === 1 ? "" : "s"} on ${node}, stage ${stage ?? "none"}: ${reason}`;
