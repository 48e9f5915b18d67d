/** What an attack is. */
import type { Scene } from "./scene.ts";
import type { Verdict } from "./verdict.ts";

/** One way in: a kind of file, message or moment, and what was tried there. */
export interface Door {
  readonly name: string;
  readonly attacks: readonly Attack[];
}

export interface Attack {
  /** What is put in, in words. */
  readonly input: string;
  /** What the program did when the list was drawn up. */
  readonly before: string;
  /** How long it may take; a row that takes longer hangs. */
  readonly limitSeconds?: number;
  run(scene: Scene): Promise<Verdict>;
}
