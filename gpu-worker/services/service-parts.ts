/** What the worker's services stand on. */
import type { Engine } from "../engine/engine.ts";
import type { InferenceCounts } from "./open-inference/counts.ts";
import type { Requests } from "./requests.ts";

export interface ServiceParts {
  readonly engine: Engine;
  readonly requests: Requests;
  /** Gets every run of a network from whoever opened the engine. */
  readonly counts: InferenceCounts;
  /** Folder in which shared memory lies. */
  readonly sharedMemory: string;
  /** That the pixels of one message may take. */
  readonly mostBytes: number;
}
