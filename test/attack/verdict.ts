/** What can come of an attack, and how it is judged. */
import type { Ended } from "./ended.ts";

/**
 * `clear`: it was served rightly, or refused in words that name what is wrong.
 * `unclear`: anything else that ends: an internal error, silence, a leak, a wrong or lost result, a wrong culprit.
 */
export interface Verdict {
  readonly kind: "clear" | "unclear" | "hung" | "crashed";
  /** What happened. */
  readonly now: string;
}

export const clear = (now: string): Verdict => ({ kind: "clear", now });
export const unclear = (now: string): Verdict => ({ kind: "unclear", now });
export const hung = (now: string): Verdict => ({ kind: "hung", now });
export const crashed = (now: string): Verdict => ({ kind: "crashed", now });

/** The verdict of the first that is not clear, or of the last. */
export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.find(({ kind }) => kind !== "clear") ?? verdicts.at(-1)!;

/**
 * Judges a command that must refuse: one coded error that is not `internal`, no stack, an exit code of its own, and all of
 * `names` in what it says.
 */
export const refused = (ended: Ended, ...names: readonly RegExp[]): Verdict => {
  const bad = broken(ended);
  if (bad !== undefined) return bad;
  const said = lastWords(ended);
  if (ended.code === 0) return unclear(`exit code 0: ${said}`);
  const missing = names.filter((name) => !name.test(`${ended.err} ${said}`));
  if (missing.length > 0) return unclear(`does not name ${missing.join(" or ")}: ${said}`);
  return clear(said);
};

/** Judges a command that must do its work. */
export const served = (ended: Ended, fulfilled: (ended: Ended) => string | undefined = () => undefined): Verdict => {
  const bad = broken(ended);
  if (bad !== undefined) return bad;
  if (ended.code !== 0) return unclear(lastWords(ended));
  const missing = fulfilled(ended);
  return missing === undefined ? clear("served") : unclear(missing);
};

/** Undefined for a command that ended as one of ours does, whatever it said. */
const broken = (ended: Ended): Verdict | undefined => {
  const said = lastWords(ended);
  if (ended.late) return hung(`no end after ${ended.seconds.toFixed(0)} s; last heard: ${said}`);
  if (ended.code === null) return crashed(`ended by ${ended.signal}: ${said}`);
  if (/^Node\.js v|FATAL ERROR|RangeError: Maximum call/m.test(ended.err)) return crashed(said);
  if (/\[internal\]/.test(`${ended.err} ${said}`)) return unclear(said);
  if (/^ {4}at .*[:)]\d*/m.test(ended.err)) return unclear(`a stack: ${said}`);
  if (ended.code !== 0 && !/\[[a-z-]+\] /.test(`${ended.err} ${said}`)) {
    return unclear(`exit code ${ended.code} without a coded error: ${said}`);
  }
  return undefined;
};

/** The error that it ended with, or its last line, on one line. */
export const lastWords = ({ err, out }: Ended): string => {
  const lines = `${out}\n${err}`.split("\n").filter((line) => line.trim() !== "");
  const failure = lines.find((line) => line.startsWith("{") && line.includes('"experiment-failed"'));
  const at = lines.findIndex((line) => /^pipeline: \[/.test(line));
  if (failure !== undefined && at < 0) return reasonOf(failure);
  const words = at < 0 ? (lines.at(-1) ?? "nothing") : lines.slice(at, at + 3).join(" ");
  return words
    .replace(/^pipeline: /, "")
    .replaceAll(/\s+/g, " ")
    .slice(0, 400);
};

const reasonOf = (line: string): string => {
  try {
    const { code, reason } = JSON.parse(line) as { code?: string; reason?: string };
    return `[${code}] ${reason}`.replaceAll(/\s+/g, " ").slice(0, 400);
  } catch {
    return line.slice(0, 400);
  }
};
