import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelInfo } from "../../common/model-info.ts";
import { seededRandom, seededShuffle } from "../../common/random.ts";
import type { Call, Strategy, WellPrediction } from "../../pipeline/stage/items.ts";
import { freeModel } from "../../testing/free-workers.ts";
import { call, well } from "./assignment-wells.ts";

const groups = Array.from({ length: 4 }, (_, g) => Array.from({ length: 277 }, (_, i) => i * 4 + g));
const model: ModelInfo = { ...freeModel("HUVEC", 1108, 8), plateGroups: groups };

interface World {
  /** Per plate, the index of its group; undefined: the plate is not there. */
  readonly placement: readonly (number | undefined)[];
  /** By how many nats the true class stands out of noise of 1.4. */
  readonly signal: number;
  /** How much a plate prefers some classes in all its wells, in nats. */
  readonly plateBias?: number;
}

/** RxRx1's 1,108 classes on four plates, of which plate p misses p wells, read by a noisy network. */
const simulate = ({ placement, signal, plateBias = 0 }: World): WellPrediction[] => {
  const random = seededRandom(`${placement} ${signal} ${plateBias}`);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return placement.flatMap((group, p) => {
    if (group === undefined) return [];
    const bias = Float64Array.from({ length: 1108 }, () => plateBias * normal());
    return seededShuffle(groups[group]!, `${p}`)
      .slice(p)
      .map((truth, i) => {
        const logit = (k: number) => -6 + bias[k]! + 1.4 * normal() + (k === truth ? signal : 0);
        const probabilities = Float32Array.from({ length: 1108 }, (_, k) => 1 / (1 + Math.exp(-logit(k))));
        return well(String(p + 1), `B${i}`, {}, { probabilities, model, treatment: String(truth) });
      });
  });
};

const accuracy = (calls: readonly Call[], strategy: Strategy) =>
  calls.filter(({ byStrategy, prediction }) => byStrategy[strategy] === prediction.treatment).length / calls.length;

const placed = (calls: readonly Call[]) => [
  ...new Map(calls.map(({ prediction, plateGroup }) => [prediction.plate, plateGroup])),
];

test("plate-assign at RxRx1's size - each strategy is better than the one before, and the rotation is found", async () => {
  const { calls } = await call({}, simulate({ placement: [2, 3, 0, 1], signal: 5 }));
  const [argmax, once, grouped] = [
    accuracy(calls, "argmax"),
    accuracy(calls, "once-per-experiment"),
    accuracy(calls, "plate-groups"),
  ];
  assert.ok(argmax > 0.4 && once > argmax + 0.02 && grouped > once + 0.05, `${argmax} ${once} ${grouped}`);
  assert.deepEqual(placed(calls), [
    ["1", 2],
    ["2", 3],
    ["3", 0],
    ["4", 1],
  ]);
});

test("plate-assign at RxRx1's size - a rotation never seen in training and a missing plate, under plate bias", async () => {
  const { calls } = await call({}, simulate({ placement: [3, undefined, 1, 0], signal: 4, plateBias: 1.5 }));
  assert.ok(accuracy(calls, "argmax") < 0.2, "the network alone is nearly lost");
  assert.deepEqual(placed(calls), [
    ["1", 3],
    ["3", 1],
    ["4", 0],
  ]);
});

test("plate-assign at RxRx1's size - a network that sees nothing is not believed, whatever its plates prefer", async () => {
  const { calls, notes } = await call({}, simulate({ placement: [0, 1, 2, 3], signal: 0, plateBias: 1.5 }));
  assert.match(notes[0]!, /^plate groups were not used/);
  assert.equal(new Set(calls.map(({ treatment }) => treatment)).size, calls.length);
});
