import assert from "node:assert/strict";
import { test } from "node:test";
import { describeData } from "../../cli/data/info.ts";
import { expandNames } from "../../cli/data/synth.ts";
import { synthesise } from "../../datasets/synthetic/synthesise.ts";
import { temporaryFolder } from "../kit/experiment.ts";

test("experiments are named one by one or as ranges", () => {
  assert.deepEqual(expandNames("HUVEC-08..10, RPE-05"), ["HUVEC-08", "HUVEC-09", "HUVEC-10", "RPE-05"]);
  assert.throws(() => expandNames("HUVEC-08..7"), /from 8 to a higher number, got 7/);
});

test("info counts plates, wells, controls, sites and classes", async (t) => {
  const root = await temporaryFolder(t);
  const parameters = { size: 16, classes: 3, plates: 2, positiveControls: 1, sites: 2 };
  await synthesise(root, { experiments: ["RPE-01", "U2OS-01"], ...parameters });
  const { layout, classes, experiments } = JSON.parse(await describeData(root, { layout: "auto", json: true }));
  assert.equal(layout, "rxrx1");
  assert.equal(classes, 6);
  assert.deepEqual(experiments, [
    { experiment: "RPE-01", cellType: "RPE", plates: 2, wells: 10, controls: 4, sites: 20, classes: 6 },
    { experiment: "U2OS-01", cellType: "U2OS", plates: 2, wells: 10, controls: 4, sites: 20, classes: 6 },
  ]);
  const text = await describeData(root, { layout: "auto" });
  assert.match(text, /layout rxrx1, channels nuclei, ER, actin, nucleoli, mitochondria, Golgi/);
  assert.match(text, /2 in all .* 2 in all .* 4 .* 20 .* 8 .* 40 .* 6 /);
});
