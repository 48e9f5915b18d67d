/** Runs one stage on items, as a run would, and returns all that came of it. */
import { from, lastValueFrom, type Observable, toArray } from "rxjs";
import type { z } from "zod";
import { parse } from "../common/schema.ts";
import { sourceServing } from "../common/serving.ts";
import { observeStage, startOfReach } from "../pipeline/run/observe-stage.ts";
import { PixelMemory } from "../pipeline/run/pixel-memory.ts";
import type { Context, Port, Ports, Stage } from "../pipeline/stage/stage.ts";
import type { Experiment, Site } from "../screen/experiment.ts";
import { freeModel, freeWorkers } from "./free-workers.ts";
import { testExperiment } from "./items.ts";

/** What the stage gets beside items; the default stands behind each. */
export interface StageGiven extends Partial<Pick<Context, "workers" | "signal" | "serving">> {
  /** The experiment of the items' sites. Workers: `freeWorkers` with 8 classes. */
  readonly experiment?: Experiment;
  /** Bytes that pixels may take: 256 MiB. */
  readonly memoryBytes?: number;
}

export interface StageRun<Out extends Port> {
  readonly output: readonly Ports[Out][];
  readonly leftOut: readonly { readonly site: Site; readonly reason: string }[];
  readonly notes: readonly string[];
  /** Sites that the stage said a network had read. */
  readonly predicted: readonly Site[];
  /** Bytes of `context.memory` that nobody has released. */
  readonly bytesHeld: number;
}

/**
 * `options` as a user would write them. Rejects with what the stage throws, located as in a run, with "invalid-config"
 * for wrong options, and with "plugin-failed" for output that is not what the stage's port carries.
 */
export const runStage = async <In extends Port, Out extends Port, Config extends z.ZodType>(
  stage: Stage<In, Out, Config>,
  options: z.input<Config>,
  input: readonly Ports[In][],
  given: StageGiven = {},
): Promise<StageRun<Out>> => {
  const experiment = given.experiment ?? testExperiment(sitesOf(input));
  const [leftOut, notes, predicted]: [{ site: Site; reason: string }[], string[], Site[]] = [[], [], []];
  const memory = new PixelMemory(given.memoryBytes ?? 2 ** 28);
  const context: Context = {
    experiment,
    signal: given.signal ?? new AbortController().signal,
    memory,
    workers: given.workers ?? freeWorkers(freeModel(experiment.cellType, 8, 8, 2)),
    serving: given.serving ?? sourceServing,
    leaveOut: (site, reason) => void leftOut.push({ site, reason }),
    predicted: (site) => void predicted.push(site),
    note: (message) => void notes.push(message),
  };
  const link = { stage, options: parse(stage.config, options, stage.name), use: stage.name };
  const output$ = observeStage(from(input), link, context, startOfReach()) as Observable<Ports[Out]>;
  const output = await lastValueFrom(output$.pipe(toArray()));
  return { output, leftOut, notes, predicted, bytesHeld: memory.used };
};

/** Of whatever items they are. */
const sitesOf = (items: readonly unknown[]): Site[] =>
  items.flatMap((item) => {
    const { site, images } = item as { site?: Site | number; images?: readonly unknown[] };
    if (typeof site === "object") return [site];
    if (typeof site === "number") return [item as Site];
    return images === undefined ? [] : sitesOf(images);
  });
