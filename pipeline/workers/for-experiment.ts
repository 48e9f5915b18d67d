/** The workers as one experiment sees them: every request says which experiment it is for. */
import type { CallOptions, Workers } from "./workers.ts";

export const workersFor = (workers: Workers, experiment: string, attempt: number): Workers => {
  const of = (options: CallOptions): CallOptions => ({
    ...options,
    about: { experiment, attempt, plate: options.about?.plate, batch: options.about?.batch },
  });
  return {
    models: () => workers.models(),
    get concurrency() {
      return workers.concurrency; // changes as workers come and go
    },
    calibrate: (model, batches, sourceWeight, options) => workers.calibrate(model, batches, sourceWeight, of(options)),
    predict: (model, images, statistics, options) => workers.predict(model, images, statistics, of(options)),
  };
};
