/** What `pipeline submit` does. */
import { openDataset } from "../../datasets/open.ts";
import { submitToNats } from "../bus/nats/submit.ts";
import { choose } from "./choose-experiments.ts";
import type { SubmitOptions } from "./submit.ts";
import { withBus } from "./with-bus.ts";

export const submitExperiments = async (wanted: readonly string[], options: SubmitOptions) => {
  const { data, layout, json } = options;
  const dataset = await openDataset(data, { layout });
  const experiments = choose(dataset, wanted).map(({ id, cellType }) => ({ id, cellType, data: dataset.root }));
  await withBus(options, async (parts) => {
    let told = false;
    const { queued, known } = await submitToNats(parts, experiments, () => {
      if (!told) process.stderr.write("the queue is full: waiting for nodes to settle experiments\n");
      told = true;
    });
    const text = `${queued} queued${known === 0 ? "" : `, ${known} queued, running or done already`}\n`;
    process.stdout.write(json ? `${JSON.stringify({ queued, known })}\n` : text);
  });
};
