/** What is fuzzed: a parser or a door, as a function of bytes. */

export interface Target {
  readonly name: string;
  /** Source files whose branches count, from the project's root. */
  readonly parsers: readonly string[];
  /** What mutation begins with: small, valid, each showing something else. */
  readonly seeds: readonly (string | Uint8Array)[] | (() => Promise<readonly Uint8Array[]>);
  /** Words of this kind of input. */
  readonly words?: readonly string[];
  /** Most MiB that inputs of some kilobytes may take, beyond what was there before. */
  readonly memoryMiB?: number;
  /** Imports the parsers, so that their branches are counted. `folder` is its own, for files. */
  open(folder: string): Promise<Try> | Try;
}

/**
 * Tries one input. It may return, or throw a `PlatestreamError` with any code but `internal` and `system`: everything else is
 * a finding.
 */
export type Try = (input: Uint8Array) => unknown;

export const text = (input: Uint8Array): string => Buffer.from(input).toString("utf8");

/** Throws what is no finding either: the input is nothing that could get here. */
export class NotAnInput extends Error {}

/** JSON that came from elsewhere, where only what is in it is of interest. */
export const json = (input: Uint8Array): unknown => {
  try {
    return JSON.parse(text(input));
  } catch {
    throw new NotAnInput();
  }
};
