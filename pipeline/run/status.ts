/** What happens in a run, as one stream of events that the terminal, logs and subscribers all read. */
import type { ErrorCode } from "../../common/errors.ts";
import type { ExperimentReport } from "../results/report.ts";
import type { ExperimentFailure, LeftOut } from "../results/result.ts";

export interface PlateSize {
  readonly plate: string;
  readonly sites: number;
}

export type Status =
  | {
      readonly type: "run-started";
      readonly experiments: readonly { readonly id: string; readonly cellType: string; readonly sites: number }[];
      /** Experiments that an earlier run of the same folder had finished. */
      readonly done: readonly string[];
    }
  /** A copy of the bundle learns from the experiment before it is called. */
  | { readonly type: "adapting"; readonly experiment: string; readonly detail: string; readonly share: number }
  | {
      readonly type: "experiment-running";
      readonly experiment: string;
      readonly attempt: number;
      readonly plates: readonly PlateSize[];
    }
  /** A site is through with the network (in its last round) or was left out. */
  | { readonly type: "site-done"; readonly experiment: string; readonly plate: string }
  | { readonly type: "left-out"; readonly experiment: string; readonly leftOut: LeftOut }
  | { readonly type: "note"; readonly experiment: string; readonly message: string }
  | { readonly type: "experiment-done"; readonly report: ExperimentReport }
  | {
      readonly type: "experiment-waiting";
      readonly experiment: string;
      readonly attempt: number;
      readonly reason: string;
      readonly code?: ErrorCode;
      /** That failed, where one did. */
      readonly stage?: string | undefined;
    }
  | {
      readonly type: "experiment-failed";
      readonly failure: ExperimentFailure;
      readonly stage?: string | undefined;
      /** Where a plugin threw, innermost first; absent where it is not a plugin's error. */
      readonly stack?: readonly string[] | undefined;
    }
  | {
      readonly type: "worker";
      readonly address: string;
      readonly state: "starting" | "ready" | "lost";
      readonly detail: string;
    }
  /** The connection to the bus of many machines. */
  | { readonly type: "bus"; readonly state: "ready" | "lost"; readonly detail: string }
  /** Of the service that subscribers follow results at. */
  | { readonly type: "results-service"; readonly detail: string }
  /** Something that an earlier process had stored is lost, and what is done about it. */
  | { readonly type: "damage"; readonly detail: string }
  /** Of the page that shows the plates. */
  | { readonly type: "plate-map"; readonly detail: string }
  | { readonly type: "draining"; readonly reason: string }
  | { readonly type: "run-done"; readonly seconds: number };
