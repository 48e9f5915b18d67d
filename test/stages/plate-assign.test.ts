import assert from "node:assert/strict";
import { test } from "node:test";
import { plateAssign } from "../../stages/plate-assign.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";
import { call, called, experiment, model, well, wells } from "./assignment-wells.ts";

const near = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}`);

test("plate-assign - argmax takes each well's most probable treatment, never a control", async () => {
  const { calls, notes } = await call({ strategy: "argmax" }, wells);
  assert.equal(called(calls), "efgdaach");
  near(calls[0]!.margin, 0.8);
  near(calls[3]!.margin, 0.1);
  assert.deepEqual(notes, []);
});

test("plate-assign - once per experiment gives every class once", async () => {
  const { calls } = await call({ strategy: "once-per-experiment" }, wells);
  assert.equal(called(calls), "efgdabch");
  near(calls[5]!.probability, 0.8);
  near(calls[5]!.margin, -0.05);
});

test("plate-assign - plate groups leave each plate its own classes", async () => {
  const { calls, notes } = await call({}, wells);
  assert.equal(called(calls), "efghabcd");
  assert.deepEqual(
    calls.map(({ plateGroup, strategy, flags }) => [plateGroup, strategy, flags]),
    [1, 1, 1, 1, 0, 0, 0, 0].map((group) => [group, "plate-groups", []]),
  );
  near(calls[3]!.margin, 0.4);
  assert.deepEqual(notes, ["plates 1, 2 hold plate groups 1, 0; this placement leads the next by 2.3 standard errors"]);
});

test("plate-assign - a call says what every strategy would have called, and the most probable classes", async () => {
  for (const strategy of ["argmax", "once-per-experiment", "plate-groups"]) {
    const { calls } = await call({ strategy, alternatives: 3 }, wells);
    assert.deepEqual(calls[3]!.byStrategy, {
      argmax: "d",
      "once-per-experiment": "d",
      balanced: "h",
      "plate-groups": "h",
    });
    assert.deepEqual(calls[5]!.byStrategy, {
      argmax: "a",
      "once-per-experiment": "b",
      balanced: "b",
      "plate-groups": "b",
    });
    assert.deepEqual(
      calls[0]!.alternatives.map(({ treatment }) => treatment),
      ["EMPTY", "e", "a"],
    );
  }
});

test("plate-assign - a control is called among all classes, and takes nothing away", async () => {
  const positive = well("1", "B06", { e: 0.99, EMPTY: 0.2 }, { wellType: "positive_control" });
  const untreated = well("2", "B06", { EMPTY: 0.7 }, { wellType: "negative_control" });
  const { calls } = await call({}, [positive, ...wells, untreated]);
  assert.deepEqual(
    calls.map(({ treatment }) => treatment),
    ["e", "e", "f", "g", "h", "a", "b", "c", "d", "EMPTY"],
  );
  for (const control of [calls[0]!, calls[9]!]) {
    assert.deepEqual([control.flags, control.byStrategy, control.plateGroup], [["control"], {}, undefined]);
  }
});

test("plate-assign - a class that is in no group may be on any plate", async () => {
  const unsure = { ...model, plateGroups: [[0, 1, 2], model.plateGroups[1]!] };
  const { calls } = await call(
    { minMargin: 1 },
    wells.map((each) => ({ ...each, model: unsure })),
  );
  assert.equal(called(calls.slice(4)), "abcd");
  assert.ok(calls.every(({ strategy }) => strategy === "plate-groups"));
});

test("plate-assign - missing wells and plates are no obstacle", async () => {
  const some = wells.filter((_, index) => index !== 1 && index !== 6);
  assert.equal(called((await call({ minMargin: 1 }, some)).calls), "eghabd");
  const onePlate = await call({ minMargin: 1 }, wells.slice(0, 4));
  assert.equal(called(onePlate.calls), "efgh");
  assert.deepEqual(new Set(onePlate.calls.map(({ plateGroup }) => plateGroup)), new Set([1]));
});

test("plate-assign - falls back to once per experiment, and says why", async () => {
  const crowded = [...wells, well("1", "B06", { e: 0.5 })];
  const vague = wells.map((each) => ({ ...each, probabilities: new Float32Array(9).fill(0.5) }));
  const third = [...wells, well("3", "B02", {})];
  for (const [items, reason] of [
    [vague, "the best placement of groups leads the next by 0.00 standard errors, 2 are needed"],
    [crowded, "more treatment wells than classes in the group of plate 1 (5 wells, 4 classes)"],
    [third, "3 plates hold treatments, the model has 2 groups"],
  ] as const) {
    const { calls, notes } = await call({}, items);
    assert.equal(
      notes[0],
      `plate groups were not used, each treatment is called once per experiment instead: ${reason}`,
    );
    for (const { flags, strategy, plateGroup, byStrategy } of calls) {
      assert.deepEqual([flags, strategy, plateGroup], [["fallback"], "once-per-experiment", undefined]);
      assert.equal(byStrategy["plate-groups"], byStrategy["once-per-experiment"]);
    }
  }
});

test("plate-assign - a model without groups has no answer by plate groups", async () => {
  const without = wells.map((each) => ({ ...each, model: { ...model, plateGroups: [] } }));
  const { calls, notes } = await call({}, without);
  assert.equal(called(calls), "efgdabch");
  assert.deepEqual(notes, [
    "plate groups were not used, each treatment is called once per experiment instead: the model has none",
  ]);
  assert.deepEqual(calls[5]!.byStrategy, { argmax: "a", "once-per-experiment": "b", balanced: "b" });
  assert.deepEqual((await call({ strategy: "once-per-experiment" }, without)).notes, []);
});

test("plate-assign - more wells than classes: no class is called more often than it has to be", async () => {
  const many = Array.from({ length: 10 }, (_, i) => well("1", `B${i + 10}`, { a: 0.9 }));
  const { calls, notes } = await call({ strategy: "once-per-experiment" }, many);
  const counts = model.classes.slice(0, 8).map((name) => calls.filter(({ treatment }) => treatment === name).length);
  assert.deepEqual(counts.sort(), [1, 1, 1, 1, 1, 1, 2, 2]);
  assert.deepEqual(notes, ["10 treatment wells share 8 classes, so classes are called up to 2 times"]);
});

test("plate-assign - probabilities of exactly 0 and 1 do no harm", async () => {
  const zero = wells.map((each) => ({ ...each, probabilities: new Float32Array(9) }));
  const { calls, notes } = await call({}, zero);
  assert.equal([...called(calls)].sort().join(""), "abcdefgh");
  assert.match(notes[0]!, /leads the next by 0\.00 standard errors/);
  const certain = wells.map((each, index) => ({
    ...each,
    probabilities: Float32Array.from(model.classes, (_, k) => (k === (index + 4) % 8 ? 1 : 0)),
  }));
  assert.equal(called((await call({}, certain)).calls), "efghabcd");
});

test("plate-assign - predictions that cannot be called together are errors", async () => {
  const controlsOnly = { ...model, controls: [...model.classes.keys()] };
  for (const [odd, message] of [
    [
      well("1", "C02", { a: Number.NaN }),
      "the probabilities of plate 1 well C02 are not numbers; network free 0 of HUVEC is broken",
    ],
    [
      well("1", "C02", {}, { probabilities: new Float32Array(3) }),
      "plate 1 well C02 has 3 probabilities, but network free 0 has 9 classes",
    ],
    [
      well("1", "C02", {}, { model: { ...model, version: "1" } }),
      "the wells of an experiment must be predicted by one network, plate 1 well C02 was by free 1 (HUVEC) and others " +
        "by free 0 (HUVEC); give all workers the same bundle",
    ],
  ] as const) {
    await assert.rejects(call({}, [...wells, odd]), { message: `[invalid-model] ${message}` });
  }
  await assert.rejects(call({}, [well("1", "B02", {}, { model: controlsOnly })]), {
    message:
      "[invalid-model] network free 0 of HUVEC knows controls only and cannot call treatment wells; train it on treatments, too",
  });
});

test("plate-assign - an untrained model and missing sites are flagged; no wells give no calls", async () => {
  const site = { ...imageOf({ plate: "1", well: "B02" }, new Uint8Array(1)).site };
  const { context } = contextFor({ ...experiment, sites: [site, { ...site, site: 2 }] });
  const untrained = well("1", "B02", { a: 0.9 }, { model: { ...model, trained: false }, sites: [1] });
  const [only] = await runStage<"call">(plateAssign, { strategy: "argmax" }, [untrained], context);
  assert.deepEqual(only!.flags, ["sites-missing", "untrained"]);
  assert.deepEqual(await call({}, []), { calls: [], notes: [] });
});

test("plate-assign - the same wells give the same calls, in the order of the wells", async () => {
  const first = await call({}, wells);
  assert.deepEqual(await call({}, wells), first);
  const reversed = await call({}, [...wells].reverse());
  assert.deepEqual(reversed.calls, [...first.calls].reverse());
});

test("plate-assign - confidence is higher where the design leaves little open, and calls below the wanted one are open", async () => {
  const { calls, notes } = await call({ minConfidence: 0.9 }, wells);
  assert.ok(calls.every(({ confidence }) => confidence! > 0 && confidence! < 1));
  assert.ok(calls[0]!.confidence! > calls[3]!.confidence!, "e stands out on its plate, h does not");
  assert.deepEqual(
    calls.map(({ flags, confidence }) => flags.includes("open") === confidence! < 0.9),
    calls.map(() => true),
  );
  assert.match(notes.at(-1)!, /of 8 treatment wells are called with a confidence of 0\.9 or more; .* never tried/);
});

test("plate-assign - a class that the training layout holds twice may be called twice", async () => {
  const twice = { ...model, plateGroups: [], copies: [2, 1, 1, 1, 1, 1, 1, 1, 1] };
  const { calls } = await call(
    { strategy: "once-per-experiment" },
    wells.map((each) => ({ ...each, model: twice })),
  );
  assert.equal(called(calls), "efgdaach".replace("d", called(calls)[3]!), "both wells that look like a");
});

test("plate-assign - groups that a worker makes up are refused", async () => {
  for (const plateGroups of [
    [[0, 1], [9]],
    [
      [0, 1],
      [1, 2],
    ],
  ]) {
    const broken = wells.map((each) => ({ ...each, model: { ...model, plateGroups } }));
    await assert.rejects(call({}, broken), { code: "invalid-model" });
  }
});
