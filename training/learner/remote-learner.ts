/** A learner in a thread of its own, and the messages that go there and back. */
import "../../gpu-worker/runtime/no-telemetry.ts";
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { type ErrorCode, PlatestreamError } from "../../common/errors.ts";
import type { FlatNetwork } from "./flat.ts";
import type { Images, LabelledImages, Learner, LearnerOptions, LearnerState } from "./learner.ts";
import type { TrainingProvider } from "./open-training.ts";

export type Request =
  | {
      readonly ask: "open";
      readonly provider: TrainingProvider;
      readonly options: LearnerOptions;
      readonly network: FlatNetwork;
      readonly resumed: Omit<LearnerState, "network"> | undefined;
    }
  | { readonly ask: "accumulate"; readonly batch: LabelledImages }
  | { readonly ask: "update"; readonly rate: number }
  | { readonly ask: "state" }
  | { readonly ask: "measure"; readonly images: Images }
  | { readonly ask: "predict"; readonly images: Images; readonly statistics: Pick<FlatNetwork, "means" | "variances"> }
  | { readonly ask: "close" };

export type LearnerReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: ErrorCode; readonly message: string } };

/** Opens a learner in a new thread. Errors of the thread reject what was asked last and all that is asked after. */
export const openRemoteLearner = async (
  provider: TrainingProvider,
  options: LearnerOptions,
  network: FlatNetwork,
  resumed?: Omit<LearnerState, "network">,
): Promise<Learner> => {
  const thread = new Worker(threadFile());
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let broken: Error | undefined;
  let count = 0;
  const fail = (cause: unknown) => {
    broken = PlatestreamError.from(cause);
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
  };
  thread.on("error", fail);
  thread.on("exit", (code) => fail(new PlatestreamError("internal", `the training thread ended with code ${code}`)));
  thread.on("message", (answer: LearnerReply) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("error" in answer) asked?.reject(new PlatestreamError(answer.error.code, answer.error.message));
    else asked?.resolve(answer.value as never);
  });
  const ask = <T>(request: Request): Promise<T> =>
    new Promise((resolve, reject) => {
      if (broken !== undefined) return reject(broken);
      count += 1;
      waiting.set(count, { resolve, reject });
      thread.postMessage({ id: count, request });
    });
  const end = async () => {
    thread.removeAllListeners("exit");
    await thread.terminate();
  };
  await ask({ ask: "open", provider, options, network, resumed }).catch(async (thrown) => {
    await end();
    throw thrown;
  });
  return {
    accumulate: (batch) => ask({ ask: "accumulate", batch }),
    update: (rate) => ask({ ask: "update", rate }),
    state: () => ask({ ask: "state" }),
    measure: (images) => ask({ ask: "measure", images }),
    predict: (images, statistics) => ask({ ask: "predict", images, statistics }),
    async close() {
      try {
        if (broken === undefined) await ask({ ask: "close" });
      } finally {
        await end();
      }
    },
  };
};

/** The compiled thread beside this file, or its source where sources are run. */
const threadFile = (): URL => {
  const compiled = new URL("./learner-thread.js", import.meta.url);
  return existsSync(compiled) ? compiled : new URL("./learner-thread.ts", import.meta.url);
};
