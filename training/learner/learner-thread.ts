/** The thread that learns: ONNX Runtime blocks the thread it runs on, and images are to be decoded meanwhile. */
import { parentPort } from "node:worker_threads";
import { PlatestreamError } from "../../common/errors.ts";
import { checkTraining } from "./check-provider.ts";
import { type Learner, openLearner } from "./learner.ts";
import { openTraining } from "./open-training.ts";
import type { LearnerReply, Request } from "./remote-learner.ts";

let learner: Learner | undefined;

const answer = async (request: Request): Promise<unknown> => {
  if (request.ask === "open") {
    const { provider, options, network, resumed } = request;
    const runtime = await openTraining(provider, options.threads);
    if (provider !== "cpu") await checkTraining(runtime, options, network);
    learner = openLearner(runtime, options, network, resumed);
    return;
  }
  if (learner === undefined) throw new PlatestreamError("internal", "nothing is learnt yet: open comes first");
  switch (request.ask) {
    case "accumulate":
      return learner.accumulate(request.batch);
    case "update":
      return learner.update(request.rate);
    case "state":
      return learner.state();
    case "measure":
      return learner.measure(request.images);
    case "predict":
      return learner.predict(request.images, request.statistics);
    case "close":
      return learner.close();
  }
};

// One at a time: what is asked for while a step is computed waits in the order in which it came.
let last: Promise<unknown> = Promise.resolve();

parentPort!.on("message", ({ id, request }: { id: number; request: Request }) => {
  last = last.then(() =>
    answer(request).then(
      (value) => parentPort!.postMessage({ id, value } satisfies LearnerReply),
      (thrown) => {
        const { code, rawMessage } = PlatestreamError.from(thrown);
        parentPort!.postMessage({ id, error: { code, message: rawMessage } } satisfies LearnerReply);
      },
    ),
  );
});
