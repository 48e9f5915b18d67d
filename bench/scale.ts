/** What more workers are worth, and what NATS costs: workers whose computing is a delay take this machine out of the picture. */
import { startNatsServer } from "../test/bus/nats-server.ts";
import { type Extent, imagesOf, onNats, runDelayed, withWorkers } from "./delayed-run.ts";
import type { Bench } from "./figure.ts";
import { median } from "./run-chain.ts";

/** For a batch of 8 images. */
const delayMs = 400;
/** So many make an experiment of RxRx1. */
const mostPlates = 4;
const rounds = 3;

/** Plates as large as those of RxRx1, in experiments of four where there are so many. */
const plates = (count: number): Extent => ({
  experiments: Math.ceil(count / mostPlates),
  plates: Math.min(count, mostPlates),
  wells: 308,
  sites: 2,
});

export const scale: Bench = {
  name: "scale",
  description:
    `images/s with 8 gRPC workers that take ${delayMs} ms per batch, against 8 times those with one (at least 0.9), ` +
    "and the time that NATS adds to a run on the embedded bus (a fraction; at most 0.03)",
  async run(report, log) {
    const nats = await startNatsServer();
    try {
      const fraction = (figure: string, unit: string, value: number) =>
        report({ figure, value, unit, reference: 1, ratio: value });
      let one: number | undefined;
      for (const count of [1, 2, 4, 8]) {
        // A plate for each: the runs take about the same time.
        const seconds = await withWorkers({ count, delayMs }, (workers) => runDelayed(plates(count), workers));
        const speed = imagesOf(plates(count)) / seconds;
        one ??= speed;
        log(`${count} workers: ${speed.toFixed(1)} images/s, ${seconds.toFixed(1)} s`);
        fraction(`scale.${count}-workers`, "of linear", speed / (count * one));
      }
      const costs: number[] = [];
      await withWorkers({ count: 8, delayMs }, async (workers) => {
        for (let round = 1; round <= rounds; round++) {
          const without = await runDelayed(plates(8), workers);
          const withNats = await runDelayed(plates(8), workers, () => onNats(nats.namespace()));
          costs.push(withNats / without - 1);
          log(`round ${round} of ${rounds}: ${withNats.toFixed(2)} s with NATS, ${without.toFixed(2)} s without`);
        }
      });
      fraction("scale.nats-cost", "of the run", median(costs));
    } finally {
      await nats.close();
    }
  },
};
