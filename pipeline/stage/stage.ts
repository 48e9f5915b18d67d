/** What a stage is, and what it is given for one experiment. */
import type { OperatorFunction } from "rxjs";
import type { z } from "zod";
import type { ModelInfo } from "../../common/model-info.ts";
import type { Serving } from "../../common/serving.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import type { Lease, SiteImage } from "../../screen/site-image.ts";
import type { Workers } from "../workers/workers.ts";
import type { OptionsByCondition } from "./conditions.ts";
import type { Batch, Call, SitePrediction, WellPrediction } from "./items.ts";

/** What stages may take and give. A plugin adds ports of its own by declaring them in this interface. */
export interface Ports {
  site: Site;
  "site-image": SiteImage;
  batch: Batch;
  "site-prediction": SitePrediction;
  "well-prediction": WellPrediction;
  call: Call;
}
export type Port = keyof Ports;

/** The bytes of pixels that one experiment may hold at a time. */
export interface Memory {
  readonly capacity: number;
  /** Waits until `bytes` are free. Rejects at once when they exceed the capacity. */
  acquire(bytes: number, signal: AbortSignal): Promise<Lease>;
  /**
   * Says that what a lease stands for takes this many bytes now. Images that leave a stage with larger pixels than they
   * came with are accounted for by the runner.
   */
  account(lease: Lease, bytes: number): void;
}

/** What a stage gets for one experiment. */
export interface Context {
  readonly experiment: Experiment;
  /** Aborted when the run is cancelled: stop, and let errors out. */
  readonly signal: AbortSignal;
  readonly memory: Memory;
  readonly workers: Workers;
  /** How the network of this experiment was trained and validated: what `as-trained` stands for. */
  readonly serving: Serving;
  /**
   * Reports a site that goes no further, with the reason; the run goes on without it. `stage` is filled in by the
   * runner. Release the lease of the image too if you hold one.
   */
  leaveOut(site: Site, reason: string): void;
  /** Says that a network has read the site: progress and images per second count it, once per site. */
  predicted(site: Site): void;
  /** A sentence for the run's report: a fallback taken, a doubt about the data. */
  note(message: string): void;
}

/**
 * One step of a pipeline: a name, what it takes and gives, its options, and one function.
 *
 * `apply` is called once per experiment and returns an RxJS operator. Its input completes when the experiment has no
 * more items; its output must complete then, too. An error ends this experiment only: it is tried again, and fails after its last
 * attempt.
 * Dropping an item needs no ceremony: `filter` is fine, and the pixels it held are counted as free once they are
 * collected. A stage that is done with pixels for good calls `image.lease.release()`, which is faster.
 * Keep the items of one plate together; within a plate any order is fine.
 */
export interface Stage<In extends Port = Port, Out extends Port = Port, Config extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly input: In;
  readonly output: Out;
  /** A strict object whose every option has a description and, where it can, a default. */
  readonly config: Config;
  /** For `pipeline evaluate`: the options by which this stage meets a condition, laid over those that it is given. */
  readonly conditions?: OptionsByCondition<z.input<Config>>;
  /**
   * What the stage needs, looked at before anything starts: throws when some of the experiments cannot be run with the
   * networks that the workers hold. Absent: it needs none of them. A node of a bus asks it for one network at a time, with
   * an experiment of that cell type, to know which experiments it can take.
   */
  check?(
    config: z.output<Config>,
    experiments: readonly Pick<Experiment, "id" | "cellType">[],
    models: readonly ModelInfo[],
  ): void;
  /** Chooses and orders the sites before the experiment starts; absent: all, plate after plate, in a seeded order. */
  plan?(config: z.output<Config>, experiment: Experiment, serving: Serving): readonly Site[];
  apply(config: z.output<Config>, context: Context): OperatorFunction<Ports[In], Ports[Out]>;
}

/** Returns the stage as it is: it exists so that options and ports are inferred and checked. */
export const defineStage = <In extends Port, Out extends Port, Config extends z.ZodType>(
  stage: Stage<In, Out, Config>,
): Stage<In, Out, Config> => stage;

/** Any stage, whatever its ports and options. */
// biome-ignore lint/suspicious/noExplicitAny: the variance of ports and options is checked when a chain is built
export type AnyStage = Stage<any, any, any>;
