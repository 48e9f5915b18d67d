/** A map of all profiles: wells that look alike lie together, and so does a batch effect. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { WellRow } from "../protocol.ts";
import { axis, Chart, type ChartOption } from "./chart.tsx";
import { ColourChoice } from "./colour-choice.tsx";
import { colourings, type Paint, paint } from "./colours.ts";
import { Legend } from "./legend.tsx";
import { go } from "./place.ts";
import { describeWell } from "./plate.tsx";
import { type Scores, useScores } from "./profiles.ts";
import type { Screen } from "./screen.ts";
import type { UmapAnswer, UmapRequest } from "./umap-worker.ts";

/** UMAP of more takes minutes; they are taken evenly. */
const mostForUmap = 10_000;

export const ProfilesPage = ({ screen }: { screen: Screen }) => {
  const [colour, setColour] = useState("plate");
  const [method, setMethod] = useState<"pca" | "umap">("pca");
  const choices = useMemo(() => {
    const place = [
      { id: "experiment", title: "experiment", value: ({ experiment }: WellRow) => experiment },
      { id: "plate", title: "plate", value: ({ experiment, plate }: WellRow) => `${experiment} ${plate}` },
    ];
    return [...place, ...colourings([...screen.wells.values()], screen.experiments, 0, () => undefined)];
  }, [screen.version]);
  const chosen = choices.find(({ id }) => id === colour) ?? choices[0]!;
  const painted = useMemo(() => paint(chosen, [...screen.wells.values()]), [chosen, screen.version]);
  if (!screen.about.profiles)
    return (
      <p class="wait">Only a run's folder keeps profiles: open it with `platestream view RUN` to see their map.</p>
    );
  return (
    <section class="main">
      <form class="bar" onSubmit={(event) => event.preventDefault()}>
        <ColourChoice choices={choices} chosen={chosen.id} onChoose={setColour} />
        <label>
          Map{" "}
          <select value={method} onChange={({ currentTarget }) => setMethod(currentTarget.value as "pca" | "umap")}>
            <option value="pca">principal components 1 and 2</option>
            <option value="umap">UMAP</option>
          </select>
        </label>
      </form>
      <Legend paint={painted} title={chosen.title} />
      <div class={screen.about.beside === undefined ? "" : "two"}>
        <ProfileMap screen={screen} which="own" title={screen.about.source} method={method} paint={painted} />
        {screen.about.beside !== undefined && (
          <ProfileMap screen={screen} which="beside" title={screen.about.beside} method={method} paint={painted} />
        )}
      </div>
      <p class="quiet">
        Coloured by plate or experiment, a batch effect shows as clouds of one colour; coloured by treatment, a good
        network does. A click on a point opens its well.
      </p>
    </section>
  );
};

interface MapProps {
  readonly screen: Screen;
  readonly which: "own" | "beside";
  readonly title: string;
  readonly method: "pca" | "umap";
  readonly paint: Paint;
}

const ProfileMap = ({ screen, which, title, method, paint: painted }: MapProps) => {
  const { scores, problem } = useScores(screen, true, which);
  const umap = useUmap(scores, method === "umap");
  const rows = useMemo(
    () => (method === "umap" ? umap.rows : scores?.wells.map((_, row) => row)) ?? [],
    [method, scores, umap.rows],
  );
  const wells = useMemo(() => rows.map((row) => scores && screen.well(...scores.wells[row]!)), [rows, screen.version]);
  const option = useMemo((): ChartOption => {
    const point = (row: number, i: number): readonly [number, number] =>
      method === "umap" && umap.points !== undefined
        ? [umap.points[2 * i]!, umap.points[2 * i + 1]!]
        : [scores!.scores[row * scores!.components]!, scores!.scores[row * scores!.components + 1] ?? 0];
    const share = (component: number) => ((scores?.explained[component] ?? 0) * 100).toFixed(1);
    return {
      grid: { left: 50, right: 20, top: 10, bottom: 44 },
      tooltip: {
        renderMode: "richText",
        formatter: ({ dataIndex }: { dataIndex: number }) => {
          const well = wells[dataIndex];
          return well === undefined ? "" : `${well.experiment} plate ${well.plate} ${describeWell(well)}`;
        },
      },
      xAxis: axis(method === "umap" ? "UMAP 1" : `component 1 (${share(0)} % of the variance)`, {
        type: "value",
        scale: true,
      }),
      yAxis: axis(method === "umap" ? "UMAP 2" : `component 2 (${share(1)} %)`, {
        type: "value",
        scale: true,
        nameGap: 34,
      }),
      series: [
        {
          type: "scatter",
          symbolSize: rows.length > 20_000 ? 3 : 6,
          progressive: 4_000,
          data: (method === "umap" && umap.points === undefined ? [] : rows).map((row, i) => {
            const well = wells[i];
            return {
              value: point(row, i),
              itemStyle: { color: (well && painted.colour(well)) ?? "#8d99ae", opacity: 0.8 },
            };
          }),
        },
      ],
    };
  }, [rows, wells, method, umap.points, scores, painted]);
  if (problem !== undefined) return <p class="note">{problem}</p>;
  if (scores === undefined) return <p class="wait">Reading the profiles…</p>;
  return (
    <section>
      <h2 title={title}>{title.split(/[/\\]/).pop()}</h2>
      {method === "umap" && umap.share !== undefined && umap.points === undefined && (
        <p>
          <progress max={1} value={umap.share} aria-label="progress of UMAP" /> {rows.length.toLocaleString("en")} wells
        </p>
      )}
      <Chart
        name={`profiles ${method} ${title}`}
        option={option}
        label={`map of ${rows.length} profiles`}
        height={520}
        onClick={(index) => {
          const well = wells[index];
          if (well !== undefined)
            go({ page: "plates", experiment: well.experiment, plate: well.plate, well: well.well });
        }}
      />
    </section>
  );
};

const useUmap = (scores: Scores | undefined, wanted: boolean) => {
  const [made, setMade] = useState<{ rows?: number[]; points?: Float32Array; share?: number }>({});
  useEffect(() => {
    if (!wanted || scores === undefined) return;
    const step = Math.max(1, scores.wells.length / mostForUmap);
    const rows = Array.from({ length: Math.floor(scores.wells.length / step) }, (_, i) => Math.floor(i * step));
    const length = scores.components;
    const values = new Float32Array(rows.length * length);
    for (const [i, row] of rows.entries())
      values.set(scores.scores.subarray(row * length, (row + 1) * length), i * length);
    setMade({ rows, share: 0 });
    const worker = new Worker(new URL("./umap-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<UmapAnswer>) =>
      setMade((before) =>
        data.type === "done" ? { ...before, points: data.points } : { ...before, share: data.share },
      );
    worker.postMessage({ values, length } satisfies UmapRequest);
    return () => worker.terminate();
  }, [scores, wanted]);
  return made;
};
