/** What a node has whatever it works on: its configuration, its reports to the outside, and the signals that end it. */
import { hostname } from "node:os";
import { type Closing, closing } from "../../common/closing.ts";
import { type ClientSecurity, readClientSecurity } from "../../common/grpc/client-security.ts";
import type { Bus, ExperimentRef } from "../../pipeline/bus/bus.ts";
import type { RunConfig } from "../../pipeline/config.ts";
import type { RunFolder } from "../../pipeline/results/run-folder.ts";
import type { ResultStore } from "../../pipeline/run/node.ts";
import type { Status } from "../../pipeline/run/status.ts";
import { buildChain, type Chain } from "../../pipeline/stage/chain.ts";
import type { Workers } from "../../pipeline/workers/workers.ts";
import type { Experiment } from "../../screen/experiment.ts";
import { stages } from "../../stages/built-in.ts";
import { type Interruptible, interruptible } from "../parts/interruptible.ts";
import { openRunOperations, type RunOperations } from "./observe-run.ts";
import { type Progress, type ProgressMode, renderProgress } from "./progress.ts";
import type { ResolvedConfig, StartOptions } from "./read-config.ts";

export interface NodeParts {
  readonly options: StartOptions;
  readonly config: RunConfig;
  readonly chain: Chain;
  readonly security: ClientSecurity;
  /** Its name. */
  readonly node: string;
  readonly memoryBytes: number;
  readonly operations: RunOperations;
  readonly progress: Progress;
  readonly interrupts: Interruptible;
  readonly onStatus: (status: Status) => void;
  /** From now on `next` gets every event, too. */
  follow(next: (status: Status) => void): void;
  /** Gets what is opened later; closes it all. */
  readonly opened: Closing;
}

/** Experiments to call, and where everything of them comes from and goes to. */
export interface Work {
  readonly bus: Bus;
  readonly workers: Workers;
  readonly load: (experiment: ExperimentRef) => Promise<Experiment>;
  /** Stores results, after their calls are published. */
  readonly store: ResultStore;
  readonly results: RunFolder;
  readonly concurrentExperiments: number;
  readonly requeues: number;
  /** Called after the last experiment: what was published is stored, and subscribers have read it. */
  settle(): Promise<void>;
  /** Called at the very end: resolves when nobody looks at the plates any more. */
  linger(): Promise<void>;
}

export const openNodeParts = async (options: StartOptions, { config, folder }: ResolvedConfig): Promise<NodeParts> => {
  const onBus = options.bus !== undefined;
  const security = await readClientSecurity(options);
  const chain = await buildChain(config.stages, stages, folder);
  const opened = closing();
  const memoryBytes = config.memoryMiB * 2 ** 20;
  const operations = await openRunOperations({ ...options, logged: onBus, memoryBytes });
  opened.add(operations.close);
  const mode = progressMode(options, operations.log !== undefined);
  const progress = renderProgress(mode, { out: process.stdout, err: process.stderr });
  opened.add(progress.close);
  const followers: ((status: Status) => void)[] = [progress.next, operations.next];
  const onStatus = (status: Status) => {
    for (const follower of followers) follower(status);
  };
  const interrupts = interruptible(onStatus, options.grace * 1_000, options.logFormat);
  opened.add(interrupts.close);
  return {
    options,
    config,
    chain,
    security,
    node: options.node ?? `${hostname()}-${process.pid}`,
    memoryBytes,
    operations,
    progress,
    interrupts,
    onStatus,
    follow: (next) => void followers.push(next),
    opened,
  };
};

const progressMode = ({ json }: StartOptions, logged: boolean): ProgressMode => {
  if (json) return "json";
  if (logged) return "silent";
  return process.stderr.isTTY ? "live" : "quiet";
};
