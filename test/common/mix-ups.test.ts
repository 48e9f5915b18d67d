import assert from "node:assert/strict";
import { test } from "node:test";
import { findMixUps, type SeenWell } from "../../common/mix-ups/find-mix-ups.ts";
import { movesOf } from "../../common/mix-ups/plate-geometry.ts";
import { seededRandom } from "../../common/random.ts";

const names = ["B", "C", "D", "E", "F", "G"].flatMap((row) => ["02", "03", "04", "05"].map((column) => row + column));

/** Four plates of 24 wells each and 96 classes; a network that is right in about nine wells of ten, and knows how often. */
const world = (seed: string, truthOf = (plate: number, well: number) => plate * 24 + well): SeenWell[] => {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return [0, 1, 2, 3].flatMap((plate) =>
    names.map((well, at) => {
      const logits = Float64Array.from({ length: 96 }, (_, k) => normal() + (k === truthOf(plate, at) ? 4 : 0));
      const sum = logits.reduce((total, logit) => total + Math.exp(4 * logit), 0);
      const shares = logits.map((logit) => Math.exp(4 * logit) / sum);
      return { plate: String(plate + 1), well, claimed: plate * 24 + at, shares };
    }),
  );
};

test("mix-ups - nothing is found in 200 clean experiments", () => {
  for (let i = 0; i < 200; i++) assert.deepEqual(findMixUps(world(`clean ${i}`)), []);
});

test("mix-ups - two swapped plates are both named", () => {
  const found = findMixUps(world("swap", (plate, well) => [0, 2, 1, 3][plate]! * 24 + well));
  assert.deepEqual(
    found.map(({ sentence }) => sentence),
    ["plate 2 looks like plate 3's layout, p = > 0.999", "plate 3 looks like plate 2's layout, p = > 0.999"],
  );
});

test("mix-ups - a plate that was turned, and one filled a column off", () => {
  const [turn, , , right] = movesOf(names);
  for (const [move, words] of [
    [turn!, "turned by 180 degrees"],
    [right!, "filled one column too far right"],
  ] as const) {
    // On plates of 6 rows and 4 columns within 96 wells some wells come from where nothing was labelled.
    const truth = (plate: number, well: number) => {
      if (plate !== 1) return plate * 24 + well;
      const from = names.indexOf(move.source(names[well]!) ?? "");
      return from < 0 ? -1 : 24 + from;
    };
    const found = findMixUps(world(words, truth));
    if (words.startsWith("turned")) continue; // B02 to G05 turned by 180 degrees are B08 to G11: no label in common
    assert.deepEqual([found[0]!.plate, found.length], ["2", 1]);
    assert.match(found[0]!.sentence, new RegExp(`plate 2 looks ${words}, p = `));
  }
});

test("mix-ups - a turned plate whose wells are labelled all over", () => {
  const all = ["A", "B", "C", "D", "E", "F", "G", "H"].flatMap((row) =>
    Array.from({ length: 12 }, (_, column) => `${row}${String(column + 1).padStart(2, "0")}`),
  );
  const random = seededRandom("turned");
  const wells = all.map((well, at): SeenWell => {
    const shares = Float64Array.from({ length: 96 }, () => 0.2 * random() + 0.01);
    shares[95 - at] = 10;
    const sum = shares.reduce((total, share) => total + share, 0);
    return { plate: "1", well, claimed: at, shares: shares.map((share) => share / sum) };
  });
  assert.match(findMixUps(wells)[0]!.sentence, /plate 1 looks turned by 180 degrees, p = > 0\.999/);
});

test("mix-ups - nearly all swapped pairs of wells are found where the network is right nine times in ten", () => {
  let found = 0;
  for (let i = 0; i < 100; i++) {
    const [a, b] = [i % 24, 24 + ((7 * i) % 72)];
    const truth = (plate: number, well: number) => {
      const at = plate * 24 + well;
      return at === a ? b : at === b ? a : at;
    };
    const pairs = findMixUps(world(`pair ${i}`, truth));
    const name = (at: number) => `${Math.floor(at / 24) + 1} ${names[at % 24]}`;
    const said = pairs.map(({ wells }) => wells.map(({ plate, well }) => `${plate} ${well}`).join(" and "));
    found += Number(said.includes(`${name(a)} and ${name(b)}`));
    assert.ok(said.length <= 1, said.join(", "));
  }
  assert.ok(found >= 95, `${found} of 100`);
});
