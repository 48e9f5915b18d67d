/** Where the layout is known: how many calls are right, rung by rung, which treatments are confused, and what confidence means. */
import { useMemo } from "preact/hooks";
import { axis, Chart, type ChartOption } from "./chart.tsx";
import { saveTable } from "./download.ts";
import { hashOf } from "./place.ts";
import { byStrategy, confusions, reliability, type Score, score, scored } from "./scores.ts";
import type { Screen } from "./screen.ts";

/** More classes do not fit into a picture. */
const mostClasses = 40;
const mostPairs = 50;

export const AccuracyPage = ({ screen }: { screen: Screen }) => {
  const wells = useMemo(() => scored(screen.wells.values()), [screen.version]);
  const rungs = useMemo(() => byStrategy(wells), [wells]);
  const experiments = useMemo(
    () =>
      [...screen.experiments.keys()].flatMap((id) => {
        const own = wells.filter(({ experiment }) => experiment === id);
        return own.length === 0
          ? []
          : [score(id, own.length, own.filter(({ treatment, call }) => treatment === call).length)];
      }),
    [wells],
  );
  const pairs = useMemo(() => confusions(wells), [wells]);
  const bins = useMemo(() => reliability(wells), [wells]);
  const charts = useMemo(
    () => ({ rungs: bars(rungs), experiments: bars(experiments), matrix: matrix(pairs), reliability: diagram(bins) }),
    [rungs, experiments, pairs, bins],
  );
  if (wells.length === 0)
    return <p class="wait">Nothing can be scored: no called well has a treatment in the layout yet.</p>;
  return (
    <section class="main">
      <p class="quiet">
        {wells.length.toLocaleString("en")} treatment wells whose treatment is known and that were called. Lines are 95
        % intervals over wells (Wilson).
      </p>
      <div class="two">
        <section>
          <h2>Rung by rung</h2>
          <Chart name="accuracy by strategy" option={charts.rungs} label={inWords(rungs)} height={260} />
        </section>
        <section>
          <h2>What confidence means</h2>
          <Chart
            name="reliability"
            option={charts.reliability}
            label={`share of right calls by confidence: ${bins.map(({ confidence, right }) => `${confidence.toFixed(2)}: ${right.toFixed(2)}`).join(", ")}`}
            height={260}
          />
        </section>
      </div>
      <h2>By experiment</h2>
      <Chart
        name="accuracy by experiment"
        option={charts.experiments}
        label={inWords(experiments)}
        height={Math.max(160, 60 + 24 * experiments.length)}
      />
      <h2>
        Confused treatments{" "}
        <button
          type="button"
          onClick={() =>
            saveTable(
              "confusions",
              ["treatment", "call", "wells"],
              pairs.map(({ treatment, call, count }) => [treatment, call, count]),
            )
          }
        >
          CSV
        </button>
      </h2>
      {pairs.length === 0 ? (
        <p>Every call is right.</p>
      ) : (
        <div class="two">
          <Chart
            name="confusions"
            option={charts.matrix}
            label={`the ${Math.min(pairs.length, mostPairs)} most frequent confusions are in the table beside`}
            height={480}
          />
          <div class="scroll">
            <table>
              <thead>
                <tr>
                  <th>Layout</th>
                  <th>Call</th>
                  <th class="number">Wells</th>
                </tr>
              </thead>
              <tbody>
                {pairs.slice(0, mostPairs).map(({ treatment, call, count }) => (
                  <tr key={`${treatment}\n${call}`}>
                    <td>{treatment}</td>
                    <td>{call}</td>
                    <td class="number">
                      <a href={hashOf({ page: "wells", filter: filterOf(treatment, call) })}>{count}</a>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
    </section>
  );
};

const filterOf = (treatment: string, call: string): string =>
  /\s/.test(treatment + call) ? "wrong" : `layout:${treatment} call:${call}`;

const inWords = (scores: readonly Score[]): string =>
  scores
    .map(
      ({ name, accuracy, low, high, n }) =>
        `${name}: ${accuracy.toFixed(3)} of ${n} wells, ${low.toFixed(3)} to ${high.toFixed(3)}`,
    )
    .join("; ");

interface Drawing {
  value(index: number): number;
  coord(at: readonly number[]): [number, number];
}

const bars = (scores: readonly Score[]): ChartOption => ({
  grid: { left: 8, right: 70, top: 10, bottom: 40, containLabel: true },
  tooltip: {
    renderMode: "richText",
    formatter: ({ dataIndex }: { dataIndex: number }) => inWords([scores[dataIndex]!]),
  },
  xAxis: axis("share of wells called right", { type: "value", min: 0, max: 1 }),
  yAxis: { type: "category", inverse: true, data: scores.map(({ name }) => name) },
  series: [
    {
      type: "bar",
      data: scores.map(({ accuracy }) => accuracy),
      itemStyle: { color: "#2a788e" },
      label: {
        show: true,
        position: "insideLeft",
        color: "#ffffff",
        formatter: ({ value }: { value: number }) => value.toFixed(3),
      },
    },
    {
      type: "custom",
      data: scores.map(({ low, high }, index) => [low, high, index]),
      renderItem: (_: unknown, api: Drawing) => {
        const [x1, y] = api.coord([api.value(0), api.value(2)]);
        const [x2] = api.coord([api.value(1), api.value(2)]);
        return { type: "line", shape: { x1, y1: y, x2, y2: y }, style: { stroke: "#e69f00", lineWidth: 2 } };
      },
      silent: true,
      z: 10,
    },
  ],
});

const matrix = (pairs: ReturnType<typeof confusions>): ChartOption => {
  const classes = [...new Set(pairs.slice(0, mostPairs).flatMap(({ treatment, call }) => [treatment, call]))].slice(
    0,
    mostClasses,
  );
  const shown = pairs.filter(({ treatment, call }) => classes.includes(treatment) && classes.includes(call));
  return {
    grid: { left: 8, right: 20, top: 20, bottom: 70, containLabel: true },
    tooltip: {
      renderMode: "richText",
      formatter: ({ dataIndex }: { dataIndex: number }) =>
        `${shown[dataIndex]!.treatment} called ${shown[dataIndex]!.call}: ${shown[dataIndex]!.count}`,
    },
    xAxis: {
      type: "category",
      data: classes,
      name: "call",
      nameLocation: "middle",
      nameGap: 40,
      axisLabel: { rotate: 60 },
    },
    yAxis: { type: "category", data: classes, name: "layout" },
    visualMap: {
      min: 0,
      max: Math.max(1, ...shown.map(({ count }) => count)),
      show: false,
      inRange: { color: ["#fde725", "#21918c", "#440154"] },
    },
    series: [
      {
        type: "heatmap",
        data: shown.map(({ treatment, call, count }) => [classes.indexOf(call), classes.indexOf(treatment), count]),
      },
    ],
  };
};

const diagram = (bins: ReturnType<typeof reliability>): ChartOption => ({
  grid: { left: 50, right: 20, top: 10, bottom: 44 },
  tooltip: {
    renderMode: "richText",
    formatter: ({ dataIndex }: { dataIndex: number }) => {
      const bin = bins[dataIndex];
      return bin === undefined
        ? ""
        : `confidence ${bin.confidence.toFixed(2)}: ${bin.right.toFixed(3)} right, ${bin.n} wells`;
    },
  },
  xAxis: axis("confidence", { type: "value", min: 0, max: 1 }),
  yAxis: axis("share right", { type: "value", min: 0, max: 1, nameGap: 34 }),
  series: [
    {
      type: "line",
      data: [
        [0, 0],
        [1, 1],
      ],
      symbol: "none",
      lineStyle: { type: "dashed", color: "#8d99ae" },
      silent: true,
    },
    { type: "line", data: bins.map(({ confidence, right }) => [confidence, right]), symbolSize: 8, color: "#2a788e" },
  ],
});
