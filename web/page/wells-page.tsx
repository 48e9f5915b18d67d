/** All wells as a table that finds what is typed, however many there are. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { WellRow } from "../protocol.ts";
import { confidenceOf } from "./colours.ts";
import { saveWells } from "./download.ts";
import { hashOf, type Place, slide } from "./place.ts";
import type { Screen } from "./screen.ts";

const rowHeight = 26;
const spare = 10;
const numeric = new Set(["Confidence", "Probability", "Margin"]);

export const WellsPage = ({ screen, place }: { screen: Screen; place: Place }) => {
  const filter = place.filter ?? "";
  const all = useMemo(() => [...screen.experiments.keys()].flatMap((id) => screen.wellsOf(id)), [screen.version]);
  const calibrated = useMemo(() => all.some(({ confidence }) => confidence !== undefined), [all]);
  const found = useMemo(() => all.filter(matching(filter)), [all, filter]);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const size = new ResizeObserver(([entry]) => setHeight(entry!.contentRect.height));
    size.observe(box.current!);
    return () => size.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / rowHeight) - spare);
  const shown = found.slice(first, first + Math.ceil(height / rowHeight) + 2 * spare);
  return (
    <section class="main fill">
      <form class="bar" onSubmit={(event) => event.preventDefault()}>
        <label>
          Find{" "}
          <input
            type="search"
            size={40}
            value={filter}
            placeholder="HUVEC-01 B07, call:513, wrong, confidence<0.5"
            onInput={({ currentTarget }) => {
              box.current?.scrollTo(0, 0);
              slide({ page: "wells", filter: currentTarget.value });
            }}
          />
        </label>
        <span class="quiet" id="found">
          {found.length.toLocaleString("en")} of {all.length.toLocaleString("en")} wells
        </span>
        <button type="button" onClick={() => saveWells("wells", found)}>
          CSV
        </button>
      </form>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to scroll it */}
      <div class="rows" ref={box} tabIndex={0} onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}>
        <table aria-rowcount={found.length}>
          <thead>
            <tr>
              {[
                "Experiment",
                "Plate",
                "Well",
                "Type",
                "Layout",
                "Call",
                calibrated ? "Confidence" : "Probability",
                "Margin",
                "Flags",
              ].map((name) => (
                <th key={name} class={numeric.has(name) ? "number" : ""}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Space rows={first} />
            {shown.map((row) => (
              <Row key={`${row.experiment} ${row.plate} ${row.well}`} row={row} />
            ))}
            <Space rows={found.length - first - shown.length} />
          </tbody>
        </table>
      </div>
    </section>
  );
};

const Space = ({ rows }: { rows: number }) => (
  <tr>
    <td colSpan={9} style={{ height: `${rows * rowHeight}px`, padding: "0", border: "0" }} />
  </tr>
);

const Row = ({ row }: { row: WellRow }) => {
  const { experiment, plate, well, wellType, treatment, call, margin, flags } = row;
  return (
    <tr style={{ height: `${rowHeight}px` }}>
      <td>{experiment}</td>
      <td>{plate}</td>
      <td>
        <a href={hashOf({ page: "plates", experiment, plate, well })}>{well}</a>
      </td>
      <td>{wellType.replaceAll("_", " ")}</td>
      <td>{treatment}</td>
      <td>{call}</td>
      <td class="number">{confidenceOf(row)?.toFixed(3)}</td>
      <td class="number">{margin?.toFixed(3)}</td>
      <td>{flags.join(", ")}</td>
    </tr>
  );
};

const numbers: Readonly<Record<string, (row: WellRow) => number | undefined>> = {
  confidence: confidenceOf,
  probability: ({ probability }) => probability,
  margin: ({ margin }) => margin,
};

/** Every word must hold: a text of the well, `call:NAME`, `layout:NAME`, `wrong`, `right`, `confidence<0.5`. */
const matching = (filter: string): ((row: WellRow) => boolean) => {
  const tests = filter
    .split(/\s+/)
    .filter((word) => word !== "")
    .map(testOf);
  return (row) => tests.every((test) => test(row));
};

const testOf = (word: string): ((row: WellRow) => boolean) => {
  const [, name = "", sign, bound] = /^([a-z]+)([<>])([\d.]+)$/.exec(word) ?? [];
  const value = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  if (value !== undefined) {
    return (row) => {
      const own = value(row);
      return own !== undefined && (sign === "<" ? own < Number(bound) : own > Number(bound));
    };
  }
  if (word.startsWith("call:")) return ({ call }) => call === word.slice(5);
  if (word.startsWith("layout:")) return ({ treatment }) => treatment === word.slice(7);
  const known = (row: WellRow) => row.call !== undefined && row.treatment !== undefined && row.wellType === "treatment";
  if (word === "wrong") return (row) => known(row) && row.call !== row.treatment;
  if (word === "right") return (row) => known(row) && row.call === row.treatment;
  const text = word.toLowerCase();
  return (row) => row.plate.toLowerCase() === text || searchTextOf(row).includes(text);
};

const searchTexts = new WeakMap<WellRow, string>();

/** Everything that a word is looked for in; made once a row. */
const searchTextOf = (row: WellRow): string => {
  let text = searchTexts.get(row);
  if (text === undefined) {
    const { experiment, well, treatment = "", call = "", wellType, flags } = row;
    text = [experiment, well, treatment, call, wellType, ...flags].join("\n").toLowerCase();
    searchTexts.set(row, text);
  }
  return text;
};
