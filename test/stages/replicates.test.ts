/** Screens with replicates: the design is learnt from labelled experiments, and wells that hold one treatment are called as one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelInfo } from "../../common/model-info.ts";
import { seededRandom, seededShuffle } from "../../common/random.ts";
import { learnDesign } from "../../datasets/design.ts";
import { wellAt } from "../../datasets/fields.ts";
import type { Call, WellPrediction } from "../../pipeline/stage/items.ts";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { freeModel } from "../../testing/free-workers.ts";
import { call } from "./assignment-wells.ts";

interface Screen {
  readonly rows: number;
  readonly columns: number;
  /** Different layouts of an experiment. */
  readonly maps: number;
  /** Plates of each layout. */
  readonly plates: number;
  /** Neighbouring wells of a plate that hold one treatment. */
  readonly neighbours: number;
  /** Sets of wells of a layout that hold each treatment of it. */
  readonly times: number;
  /** Metadata column that names the layout of a plate. */
  readonly column?: string;
}

/** Treatments of a layout stay together and move over its positions from experiment to experiment. */
const experimentOf = (
  index: number,
  { rows, columns, maps, plates, neighbours, times, column }: Screen,
): Experiment => {
  const id = `HUVEC-${index}`;
  const sites: Site[] = [];
  for (let map = 0; map < maps; map++) {
    const sets = Math.floor((rows * columns) / neighbours);
    const classes = Math.floor(sets / times);
    const held = seededShuffle(
      Array.from({ length: sets }, (_, set) => `m${map}c${Math.min(classes - 1, Math.floor(set / times))}`),
      `${index} ${map}`,
    );
    for (let plate = 0; plate < plates; plate++)
      for (let at = 0; at < sets * neighbours; at++)
        sites.push({
          experiment: id,
          cellType: "HUVEC",
          plate: `${map}-${plate}`,
          well: wellAt(1 + Math.floor(at / columns), 1 + (at % columns))!,
          site: 1,
          wellType: "treatment",
          treatment: held[Math.floor(at / neighbours)]!,
          images: [],
          metadata: column === undefined ? {} : { [column]: `layout ${map}` },
        });
  }
  return { id, cellType: "HUVEC", plates: [...new Set(sites.map(({ plate }) => plate))], sites };
};

/** What a network says that sees a treatment through noise. */
const predictionsOf = ({ sites }: Experiment, model: ModelInfo, signal: number): WellPrediction[] => {
  const random = seededRandom("noise");
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return sites.map(({ site, images: _, ...rest }) => ({
    ...rest,
    probabilities: Float32Array.from(
      model.classes,
      (name) => 1 / (1 + Math.exp(4 - normal() - (name === rest.treatment ? signal : 0))),
    ),
    features: new Float32Array(1),
    sites: [site],
    rounds: 1,
    model,
    statistics: "batch",
  }));
};

const shareRight = (calls: readonly Call[]): number =>
  calls.filter(({ treatment, prediction }) => treatment === prediction.treatment).length / calls.length;

const learnt = (screen: Screen, experiments = 6) => {
  const training = Array.from({ length: experiments }, (_, index) => experimentOf(index, screen));
  const names = [...new Set(training.flatMap(({ sites }) => sites.map(({ treatment }) => treatment!)))].sort();
  const design = learnDesign(training)(names);
  const model: ModelInfo = { ...freeModel("HUVEC", names.length, 8), classes: names, ...design };
  return { design, model };
};

const screens: readonly { readonly name: string; readonly screen: Screen; readonly wells: number }[] = [
  {
    name: "96 wells, three plates filled alike",
    screen: { rows: 8, columns: 12, maps: 1, plates: 3, neighbours: 1, times: 2 },
    wells: 3,
  },
  {
    name: "384 wells, two layouts on two plates each, named by a column: groups, too",
    screen: { rows: 16, columns: 12, maps: 2, plates: 2, neighbours: 1, times: 1, column: "Plate_Map_Name" },
    wells: 2,
  },
  {
    name: "384 wells, neighbours hold one treatment on one plate",
    screen: { rows: 16, columns: 24, maps: 1, plates: 1, neighbours: 2, times: 1 },
    wells: 2,
  },
  {
    name: "96 wells, neighbours on two plates",
    screen: { rows: 8, columns: 12, maps: 1, plates: 2, neighbours: 2, times: 2 },
    wells: 4,
  },
  {
    name: "1536 wells, two plates filled alike, every treatment in eight places",
    screen: { rows: 32, columns: 48, maps: 1, plates: 2, neighbours: 1, times: 8 },
    wells: 2,
  },
];

for (const { name, screen, wells } of screens)
  test(`${name}: called together, more wells are right`, async () => {
    const { design, model } = learnt(screen);
    assert.equal(design.replicates.acrossPlates, screen.plates > 1);
    assert.deepEqual(design.replicates.plateColumns, screen.column === undefined ? [] : [screen.column]);
    const sets = screen.neighbours > 1 ? Math.floor((screen.rows * screen.columns) / screen.neighbours) : 0;
    assert.equal(design.replicates.positions.length, sets);
    if (sets > 0) assert.deepEqual(design.replicates.positions[0], ["A01", "A02"]);
    const items = predictionsOf(experimentOf(99, screen), model, 2.5);
    const together = await call({}, items);
    const alone = await call({ replicates: false }, items);
    assert.ok(together.calls.every(({ replicates }) => replicates === wells));
    assert.ok(alone.calls.every(({ replicates }) => replicates === undefined));
    const [better, worse] = [shareRight(together.calls), shareRight(alone.calls)];
    assert.ok(better > worse + 0.05, `${better} together, ${worse} alone`);
    const treatments = items.length / wells;
    assert.match(together.notes[0]!, new RegExp(`^${items.length} treatment wells hold ${treatments} treatments by`));
    if (screen.maps > 1) assert.ok(together.calls.every(({ strategy }) => strategy === "plate-groups"));
    const counts = new Map<string, number>();
    for (const { treatment } of together.calls) counts.set(treatment, (counts.get(treatment) ?? 0) + 1);
    assert.deepEqual([...new Set(counts.values())], [wells * screen.times]);
  });

test("a missing well, or a plate without the column of the layout, is called with what is there", async () => {
  const screen = screens[1]!.screen;
  const { model } = learnt(screen);
  const whole = predictionsOf(experimentOf(99, screen), model, 6);
  const one = whole.slice(1);
  const calls = (await call({}, one)).calls;
  assert.deepEqual(calls.map(({ replicates }) => replicates).filter((each) => each === undefined).length, 1);
  const unnamed = whole.map((each) => (each.plate === "0-1" ? { ...each, metadata: {} } : each));
  const apart = (await call({ strategy: "balanced" }, unnamed)).calls;
  assert.ok(apart.filter(({ prediction }) => prediction.plate.startsWith("0-")).every(({ replicates }) => !replicates));
  assert.ok(
    apart.filter(({ prediction }) => prediction.plate.startsWith("1-")).every(({ replicates }) => replicates === 2),
  );
});

test("nothing is learnt where treatments fall by chance, where all wells hold one, or where a layout never changes", () => {
  const screen: Screen = { rows: 8, columns: 12, maps: 1, plates: 1, neighbours: 1, times: 4 };
  assert.deepEqual(learnt(screen).design.replicates.positions, []);
  const apart = Array.from({ length: 4 }, (_, index) => {
    const plates = [0, 1].map((plate) =>
      experimentOf(2 * index + plate, screen).sites.map((site) => ({ ...site, plate: `${plate}` })),
    );
    return { ...experimentOf(index, screen), plates: ["0", "1"], sites: plates.flat() };
  });
  const nothing = { acrossPlates: false, plateColumns: [], positions: [], copies: [] };
  assert.deepEqual(learnDesign(apart)(["m0c0"]).replicates, nothing);
  const single = apart.map((each) => ({ ...each, sites: each.sites.map((site) => ({ ...site, treatment: "one" })) }));
  assert.deepEqual(learnDesign(single)(["one"]).replicates, nothing);
  const fixed = [0, 1, 2].map(() => experimentOf(5, { ...screen, neighbours: 2 }));
  assert.deepEqual(learnDesign(fixed)(["m0c0"]).replicates, nothing);
});
