/** Which wells of an experiment hold one treatment by the plates' layout, whichever treatment that is. */
import { z } from "zod";

export const replicatesSchema = z.strictObject({
  acrossPlates: z.boolean().describe("wells at one position of plates that are filled alike hold one treatment"),
  plateColumns: z
    .array(z.string())
    .describe("columns of the dataset that plates filled alike share; none: all plates of an experiment are"),
  positions: z
    .array(z.array(z.string()).min(2))
    .describe("sets of wells of a plate that hold one treatment, as in [B02, B03]"),
  copies: z.array(z.int().positive()).describe("per class, how many such sets of an experiment hold it; empty: one"),
});
export type Replicates = z.output<typeof replicatesSchema>;

/** Every well is one by itself. */
export const noReplicates: Replicates = { acrossPlates: false, plateColumns: [], positions: [], copies: [] };

export interface LaidWell {
  readonly plate: string;
  readonly well: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Wells that hold one treatment. */
export interface ReplicateSet<W> {
  /** Names of the plates that are filled alike, joined by "+". */
  readonly plate: string;
  /** Position of its first well. */
  readonly position: string;
  readonly wells: readonly W[];
}

/**
 * Sets of wells in the order of their first well; every well is in one of them.
 *
 * A well that lacks a column of the layout is with its plate alone.
 */
export const replicateSets = <W extends LaidWell>(
  wells: readonly W[],
  { acrossPlates, plateColumns, positions }: Omit<Replicates, "copies">,
): ReplicateSet<W>[] => {
  const firstOf = new Map(positions.flatMap((set) => set.map((position) => [position, set[0]!] as const)));
  const layoutOf = ({ plate, metadata }: W): string => {
    const shared = plateColumns.map((column) => metadata[column]);
    return acrossPlates && !shared.includes(undefined) ? JSON.stringify(shared) : JSON.stringify({ plate });
  };
  const plates = new Map<string, Set<string>>();
  for (const each of wells) plates.set(layoutOf(each), (plates.get(layoutOf(each)) ?? new Set()).add(each.plate));
  const names = new Map([...plates].map(([layout, alike]) => [layout, [...alike].join("+")]));
  const sets = new Map<string, { plate: string; position: string; wells: W[] }>();
  for (const each of wells) {
    const layout = layoutOf(each);
    const position = firstOf.get(each.well) ?? each.well;
    const key = `${layout}\n${position}`;
    const set = sets.get(key) ?? { plate: names.get(layout)!, position, wells: [] };
    set.wells.push(each);
    sets.set(key, set);
  }
  return [...sets.values()];
};

/** The evidence of wells that hold one treatment adds up: each is a look of its own. */
export const addUp = (rows: readonly Float64Array[]): Float64Array => {
  const sum = new Float64Array(rows[0]!.length);
  for (const row of rows) for (const [k, value] of row.entries()) sum[k]! += value;
  return sum;
};
