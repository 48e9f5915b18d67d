/** What a fault is: what stands there, and what happens to it. */
import type { Arrangement, Scene } from "./scene.ts";

export const experiments = ["HUVEC-01", "HUVEC-02", "HUVEC-03", "HUVEC-04"];

export interface Fault {
  readonly name: string;
  readonly arrange: Arrangement;
  /** Does the damage and, where that belongs to it, repairs it; calls `scene.strike()` at the blow. */
  readonly break: (scene: Scene) => Promise<void>;
  /** How many times longer than other rows it may take. */
  readonly longer?: number;
  /** Where it is known from, for those that others have met. */
  readonly source?: string;
  /** What the server had acknowledged is lost: `pipeline repair` follows, and numbers and subscribers begin anew. */
  readonly destroys?: boolean;
  /** An experiment that must end as a dead letter; all others must be called. */
  readonly givenUp?: GivenUp;
}

export interface GivenUp {
  readonly experiment: string;
  readonly attempts: number;
  readonly stage?: string;
  readonly reason: RegExp;
}
