/** Experiments that failed: read them, and queue them again. */
import { PlatestreamError } from "../../../common/errors.ts";
import type { NatsBusParts } from "./open.ts";
import type { DeadLetter } from "./records.ts";
import { submitToNats } from "./submit.ts";

export interface StoredLetter extends DeadLetter {
  /** Of its message in the stream. */
  readonly seq: number;
}

/** The last letter of each experiment whose last state is failed, oldest first. */
export const readDeadLetters = async ({ streams, records }: NatsBusParts): Promise<readonly StoredLetter[]> => {
  const letters = await streams.last<DeadLetter>(streams.names.deadLetters, streams.names.all("dead-letters"));
  const states = new Map((await records.all()).map(({ id, state }) => [id, state]));
  return letters
    .map(({ seq, value }) => ({ ...value, seq }))
    .filter(({ id }) => (states.get(id) ?? "failed") === "failed");
};

/** The letters of the named experiments, or "invalid-config" with those that have none. */
export const chooseLetters = (letters: readonly StoredLetter[], wanted: readonly string[]): readonly StoredLetter[] => {
  const unknown = wanted.filter((id) => !letters.some((letter) => letter.id === id));
  if (unknown.length === 0) return letters.filter(({ id }) => wanted.includes(id));
  const known = letters.map(({ id }) => id).join(", ") || "none";
  throw new PlatestreamError("invalid-config", `no dead letter of ${unknown.join(", ")}; there are those of ${known}`);
};

/** Queues the experiments anew, with all their attempts, and removes their letters. */
export const replayDeadLetters = async (
  parts: NatsBusParts,
  letters: readonly StoredLetter[],
  onFull: () => void,
): Promise<{ readonly queued: number; readonly known: number }> => {
  const experiments = letters.map(({ id, cellType, data }) => ({ id, cellType, data }));
  const replayed = await submitToNats(parts, experiments, onFull);
  for (const { seq } of letters) await parts.streams.remove(parts.streams.names.deadLetters, seq);
  return replayed;
};
