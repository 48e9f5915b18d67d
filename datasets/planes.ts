/** Stacks and time series: which plane and which time point of each site is read, where there are several. */
import type { Table } from "./csv-table.ts";
import type { Opening } from "./opening.ts";
import type { SiteTable } from "./read-sites.ts";

/**
 * Which of a table's planes are wanted. Several without a choice are a problem: nobody but the user knows which one the
 * network should see.
 */
export const choosePlanes = (
  table: Table,
  read: SiteTable,
  { plane, problems, took }: Opening,
): ((plane: string | undefined) => boolean) => {
  const column = read.roles.get("plane");
  if (column === undefined) return () => true;
  const planes = new Set<string>();
  for (let row = 0; row < table.rows; row++) if (read.wanted(row)) planes.add(table.get(row, column));
  const names = [...planes].sort(new Intl.Collator("en", { numeric: true }).compare);
  if (names.length < 2) return () => true;
  if (plane === "max") {
    took("planes", `the maximum over ${names.length} planes, column ${column}`);
    return () => true;
  }
  const wanted = names.find((name) => name === String(plane) || (plane !== undefined && Number(name) === plane));
  if (wanted !== undefined) {
    took("planes", `plane ${wanted} of ${names.join(", ")}, column ${column}`);
    return (name) => name === wanted;
  }
  problems.add({
    place: `${table.path}:1`,
    column,
    rule: plane === undefined ? "the sites are stacks of planes" : `--plane ${plane} is not one of the planes`,
    detail: ` (${names.join(", ")}): choose one with --plane ${names[Math.floor(names.length / 2)]}, or their maximum with --plane max`,
  });
  return (name) => name === names[0];
};
