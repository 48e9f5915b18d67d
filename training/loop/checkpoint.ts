/**
 * Checkpoints: one safetensors file with the network, the optimiser's memory and the place in the recipe. It is written
 * beside its place and then moved there, so that there is always a whole one.
 */
import { replaceFile } from "../../common/atomic-files.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../../common/safetensors.ts";
import type { Serving } from "../../common/serving.ts";
import type { LearnerState } from "../learner/learner.ts";

/** Where training stands: everything before `batch` of this epoch of this stage is done. */
export interface Progress {
  readonly stage: number;
  readonly epoch: number;
  readonly batch: number;
  /** Sum of the losses of the epoch so far. */
  readonly lossSum: number;
  /** Steps of the epoch that overflowed in half precision. */
  readonly skipped: number;
  /** Best accuracy of the stage under calibrated statistics so far; -1 before the first validation. */
  readonly best: number;
  /** How the network of the last stage that was scored is served best; absent before. */
  readonly serving?: Serving;
  /** Recipe and classes that the run started with; another recipe cannot go on from here. */
  readonly identity: string;
}

/** Nothing of a stage is done yet. */
export const beginningOf = (stage: number, identity: string): Progress => ({
  stage,
  epoch: 0,
  batch: 0,
  lossSum: 0,
  skipped: 0,
  best: -1,
  identity,
});

export interface Checkpoint {
  readonly state: LearnerState;
  readonly progress: Progress;
}

export const writeCheckpoint = async (path: string, { state, progress }: Checkpoint): Promise<void> => {
  const { network, adam, lossScale, average } = state;
  const about = { progress, lossScale, steps: adam.steps };
  const bytes = Buffer.from(JSON.stringify(about));
  const flat = (data: Float32Array): StoredTensor => ({ shape: [data.length], data });
  const tensors = new Map<string, StoredTensor>([
    ["weights", flat(network.weights)],
    ["means", flat(network.means)],
    ["variances", flat(network.variances)],
    ["adam.first", flat(adam.first)],
    ["adam.second", flat(adam.second)],
    ["adam.largest", flat(adam.largest)],
    ["average", flat(average)],
    ["about", { shape: [bytes.length], data: Uint8Array.from(bytes) }],
  ]);
  await replaceFile(path, writeSafetensors(tensors));
};

/** Undefined where there is none. */
export const readCheckpoint = async (path: string): Promise<Checkpoint | undefined> => {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path);
  } catch (cause) {
    if (((cause as Error).cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  const tensors = readSafetensors(bytes, path);
  const numbers = (name: string) => tensors.get(name)!.data as Float32Array;
  const { progress, lossScale, steps } = JSON.parse(Buffer.from(tensors.get("about")!.data as Uint8Array).toString());
  return {
    progress,
    state: {
      network: { weights: numbers("weights"), means: numbers("means"), variances: numbers("variances") },
      adam: { steps, first: numbers("adam.first"), second: numbers("adam.second"), largest: numbers("adam.largest") },
      lossScale,
      average: (tensors.get("average")?.data as Float32Array | undefined) ?? new Float32Array(),
    },
  };
};
