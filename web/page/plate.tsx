/** One plate as a grid of wells. */
import { useMemo, useRef } from "preact/hooks";
import type { WellRow } from "../protocol.ts";
import type { Paint } from "./colours.ts";
import { savePng, saveSvg } from "./download.ts";
import { formatOf, type Position, positionOf, rowName, shownRows } from "./wells.ts";

export interface PlateProps {
  readonly experiment: string;
  readonly plate: string;
  readonly wells: readonly WellRow[];
  readonly paint: Paint;
  readonly selected: string | undefined;
  /** The arrow keys or a click went to a well. */
  readonly onSelect: (well: string) => void;
}

const pitch = 20;
const edge = 18;

/** In words, for the pointer and for those who do not see the colours. */
export const describeWell = ({
  well,
  wellType,
  treatment,
  call,
  probability,
  confidence,
  flags,
  reasons,
}: WellRow): string =>
  [
    well,
    wellType === "treatment" ? undefined : wellType.replaceAll("_", " "),
    call === undefined ? "not called" : `called ${call}`,
    confidence === undefined ? undefined : `confidence ${confidence.toFixed(2)}`,
    probability === undefined ? undefined : `probability ${probability.toFixed(2)}`,
    treatment === undefined ? undefined : `layout ${treatment}`,
    flags.length === 0 ? undefined : flags.join(", "),
    ...reasons,
  ]
    .filter((each) => each !== undefined)
    .join("; ");

export const Plate = ({ experiment, plate, wells, paint, selected, onSelect }: PlateProps) => {
  const svg = useRef<SVGSVGElement>(null);
  const placed = useMemo(
    () =>
      wells.flatMap((row) => {
        const position = positionOf(row.well);
        return position === undefined ? [] : [{ row, position }];
      }),
    [wells],
  );
  const [rows, columns] = formatOf(placed.map(({ position }) => position));
  const [top, bottom] = shownRows(
    placed.map(({ position }) => position),
    rows,
  );
  const group = majority(wells);
  const name = `${experiment} plate ${plate}`;
  // Keys come faster than the page is drawn.
  const at = useRef(selected);
  at.current = selected;
  const key = (event: KeyboardEvent): void => {
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const from = placed.find(({ row }) => row.well === at.current)?.position;
    const next = nextWell(placed, from, step);
    if (next === undefined) return;
    at.current = next;
    onSelect(next);
  };

  return (
    <figure class="plate">
      <figcaption>
        <span>
          Plate <b>{plate}</b>
          {group !== undefined && (
            <span class="quiet">
              {" "}
              group {group.group}
              {group.margin}
            </span>
          )}
        </span>
        <span class="tools">
          <button type="button" onClick={() => svg.current && saveSvg(name, svg.current)}>
            SVG
          </button>
          <button type="button" onClick={() => svg.current && savePng(name, svg.current)}>
            PNG
          </button>
        </span>
      </figcaption>
      <svg
        ref={svg}
        viewBox={`0 ${top * pitch} ${edge + columns * pitch + 2} ${edge + (bottom - top + 1) * pitch + 2}`}
        tabindex={0}
        role="application"
        aria-label={`${name}, ${rows * columns} wells; arrow keys go from well to well`}
        onKeyDown={key}
      >
        {Array.from({ length: columns }, (_, c) => (
          <text key={`c${c}`} class="ruler" x={edge + (c + 0.5) * pitch} y={top * pitch + edge - 6}>
            {c + 1}
          </text>
        ))}
        {Array.from({ length: bottom - top + 1 }, (_, i) => top + i).map((r) => (
          <text key={`r${r}`} class="ruler" x={edge / 2 - 1} y={edge + (r + 0.5) * pitch + 3}>
            {rowName(r)}
          </text>
        ))}
        {placed.map(({ row, position }) => (
          <Well
            key={row.well}
            row={row}
            position={position}
            colour={paint.colour(row)}
            selected={row.well === selected}
            onSelect={onSelect}
          />
        ))}
      </svg>
      <p class="spoken" aria-live="polite">
        {selected !== undefined && describe(wells, selected)}
      </p>
    </figure>
  );
};

const describe = (wells: readonly WellRow[], selected: string): string => {
  const row = wells.find(({ well }) => well === selected);
  return row === undefined ? "" : describeWell(row);
};

interface WellProps {
  readonly row: WellRow;
  readonly position: Position;
  readonly colour: string | undefined;
  readonly selected: boolean;
  readonly onSelect: (well: string) => void;
}

/** Controls are squares, treatments circles; a cross means that the well could not be called. */
const Well = ({ row, position, colour, selected, onSelect }: WellProps) => {
  const x = edge + position.column * pitch;
  const y = edge + position.row * pitch;
  const state = `well${colour === undefined ? " empty" : ""}${selected ? " selected" : ""}`;
  const fill = colour === undefined ? {} : { fill: colour };
  const failed = row.flags.includes("not-called");
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the plate's own keys go from well to well
    <g class={state} data-well={row.well} onClick={() => onSelect(row.well)}>
      <title>{describeWell(row)}</title>
      {row.wellType === "treatment" ? (
        <circle cx={x + pitch / 2} cy={y + pitch / 2} r={pitch / 2 - 1.5} {...fill} />
      ) : (
        <rect x={x + 2} y={y + 2} width={pitch - 4} height={pitch - 4} {...fill} />
      )}
      {failed && <path class="cross" d={`M${x + 5} ${y + 5}l10 10M${x + 15} ${y + 5}l-10 10`} />}
      {!failed && row.reasons.length > 0 && <circle class="dot" cx={x + pitch - 4} cy={y + 4} r={2.5} />}
    </g>
  );
};

const steps: Readonly<Record<string, Position>> = {
  ArrowUp: { row: -1, column: 0 },
  ArrowDown: { row: 1, column: 0 },
  ArrowLeft: { row: 0, column: -1 },
  ArrowRight: { row: 0, column: 1 },
};

type Placed = { readonly row: WellRow; readonly position: Position };

/** The next well that way, over gaps; from nowhere, the first one. */
const nextWell = (placed: readonly Placed[], from: Position | undefined, step: Position): string | undefined => {
  if (from === undefined) return placed[0]?.row.well;
  const ahead = placed
    .map(({ row, position }) => {
      const along = (position.row - from.row) * step.row + (position.column - from.column) * step.column;
      const aside =
        Math.abs((position.row - from.row) * step.column) + Math.abs((position.column - from.column) * step.row);
      return { well: row.well, along, distance: along + 4 * aside };
    })
    .filter(({ along }) => along > 0)
    .sort((a, b) => a.distance - b.distance);
  return ahead[0]?.well;
};

/** The group of classes that the plate was given: its wells agree, or it has none. */
const majority = (wells: readonly WellRow[]): { readonly group: number; readonly margin: string } | undefined => {
  const group = wells.find(({ plateGroup }) => plateGroup !== undefined)?.plateGroup;
  if (group === undefined) return undefined;
  const margins = wells.flatMap(({ plateGroup, margin }) =>
    plateGroup === group && margin !== undefined ? [margin] : [],
  );
  const mean = margins.reduce((sum, each) => sum + each, 0) / Math.max(1, margins.length);
  return { group, margin: `, mean margin ${mean.toFixed(2)}` };
};
