/** What every step from the training statistics to plate groups is worth, with the bundle that ships. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scoreLadder } from "../cli/evaluate/score-ladder.ts";
import { openWorkers } from "../cli/parts/open-workers.ts";
import { packageFile } from "../common/package-file.ts";
import { openDataset } from "../datasets/open.ts";
import { synthesise } from "../datasets/synthetic/synthesise.ts";
import { parseRunConfig } from "../pipeline/config.ts";
import { usualChain } from "../stages/built-in.ts";
import { adapt } from "./adapt.ts";
import type { Bench } from "./figure.ts";
import { heldOut } from "./held-out.ts";

const classes = 96;

/** Every figure is a rung; its reference is the rung that it is to be compared with. */
const figures = [
  { figure: "running", rung: "running", against: "chance" },
  { figure: "batch", rung: "batch", against: "running" },
  { figure: "bagging", rung: "bagging", against: "batch" },
  { figure: "one-site", rung: "one-site", against: "running" },
  { figure: "calibrated-experiment", rung: "calibrated-experiment", against: "running" },
  { figure: "calibrated-plate", rung: "calibrated-plate", against: "bagging" },
  { figure: "once", rung: "once", against: "served" },
  { figure: "balanced", rung: "balanced", against: "once" },
  { figure: "groups", rung: "groups", against: "once" },
  { figure: "mixup", rung: "served", against: "before-mixup" },
] as const;

export const ladder: Bench = {
  name: "ladder",
  description: `treatment wells called right on ${heldOut.length} held-out synthetic experiments of four cell types, rung by rung; then adapted, as the bench of that name`,
  async run(report, log) {
    const data = join(tmpdir(), "platestream-bench-ladder");
    log(`${heldOut.join(", ")} in ${data} (generated if they are not there)`);
    const signal = new AbortController().signal;
    await synthesise(data, { experiments: heldOut }, { signal, onProgress: () => undefined });
    const dataset = await openDataset(data);

    const config = parseRunConfig({ data, model: packageFile("models/demo") }, "bench", usualChain);
    const model = await openWorkers(config, () => undefined);
    const before = await openWorkers({ ...config, model: packageFile("models/demo-before-mixup") }, () => undefined);
    try {
      const { rungs } = await scoreLadder(dataset, config, {
        experiments: dataset.experiments,
        workers: { model, before },
        signal,
      });
      const accuracy = (name: string) =>
        name === "chance" ? 1 / classes : rungs.find(({ rung }) => rung.name === name)!.total.mean;
      for (const { figure, rung, against } of figures) {
        const [value, reference] = [accuracy(rung), accuracy(against)];
        log(`ladder.${figure}: ${rung} against ${against}`);
        report({ figure: `ladder.${figure}`, value, unit: "of wells", reference, ratio: value / reference });
      }
    } finally {
      await Promise.all([model.close(), before.close()]);
    }
    await adapt.run(report, log);
  },
};
