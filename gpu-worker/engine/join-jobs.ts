/**
 * Batches of several requests as one: a card is fastest with many images at a time, and fixed statistics make an image's
 * answer independent of the others. Joined are those of one network under the same statistics: the running ones, whatever
 * the experiment, or those of one calibration, which one domain shares. Statistics of other plates, of the batch itself,
 * and calibrations stay apart: a run of the network has one set of them.
 */
import type { NetworkOutputs } from "../runtime/runtime.ts";
import type { Job } from "./job.ts";

const fixed: readonly Job["mode"][] = ["running", "calibrated"];

const imagesOf = ({ shape }: Job): number => shape[0]!;

/** Whether one run can compute both. */
export const fitTogether = (one: Job, other: Job): boolean =>
  fixed.includes(one.mode) &&
  one.mode === other.mode &&
  one.network === other.network &&
  one.statistics === other.statistics &&
  one.pixelType === other.pixelType &&
  one.shape.every((size, axis) => axis === 0 || size === other.shape[axis]);

/** The first of `waiting` and those behind it that one run can compute with it, `most` images at most. */
export const together = <T extends { readonly job: Job; readonly alone: boolean }>(
  [first, ...others]: readonly [T, ...T[]],
  most: number,
): T[] => {
  const chosen = [first];
  let images = imagesOf(first.job);
  for (const each of first.alone ? [] : others) {
    const more = images + imagesOf(each.job);
    if (each.alone || more > most || !fitTogether(first.job, each.job)) continue;
    chosen.push(each);
    images = more;
  }
  return chosen;
};

type Pixels = Job["pixels"];

const concatenate = <T extends Pixels>(parts: readonly T[]): T => {
  const [first] = parts as readonly [T];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  // Not Buffer: its memory would be the pool's.
  const Values = first instanceof Uint8Array ? Uint8Array : (first.constructor as new (length: number) => T);
  const all = new Values(length) as T;
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** One job with the images of all, in their order. They fit together. */
export const joinJobs = (jobs: readonly [Job, ...Job[]]): Job => {
  const [first] = jobs;
  const plates = jobs.flatMap(({ plate }) => (plate === undefined ? [] : [plate]));
  return {
    ...first,
    shape: [jobs.reduce((sum, job) => sum + imagesOf(job), 0), ...first.shape.slice(1)],
    pixels: concatenate(jobs.map(({ pixels }) => pixels)),
    scale: concatenate(jobs.map(({ scale }) => scale)),
    offset: concatenate(jobs.map(({ offset }) => offset)),
    ...(plates.length > 0 ? { plate: concatenate(plates) } : {}),
  };
};

/** What each of the jobs gets of the outputs, which have a row per image. */
export const splitOutputs = (outputs: NetworkOutputs, jobs: readonly Job[]): NetworkOutputs[] => {
  const all = jobs.reduce((sum, job) => sum + imagesOf(job), 0);
  let from = 0;
  return jobs.map((job) => {
    const to = from + imagesOf(job);
    const rows = Object.entries(outputs).map(([name, values]) => {
      const width = values.length / all;
      return [name, values.slice(from * width, to * width)] as const;
    });
    from = to;
    return Object.fromEntries(rows);
  });
};
