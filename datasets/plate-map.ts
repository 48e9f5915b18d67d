/** A table of wells, for images whose files do not say what is in the wells: classes, kinds of wells, cell types. */
import { readTable } from "./csv-table.ts";
import type { SiteAddress } from "./dataset.ts";
import type { Opening, PlateMap } from "./opening.ts";
import { openSiteTable } from "./read-sites.ts";
import { usualNames } from "./roles.ts";

interface MappedWell {
  readonly row: number;
  readonly site: SiteAddress;
}

/** Stands for what the map has no column for; the site's own stays. */
const unsaid = "";

const shown = 5;

/**
 * Columns are recognised as in other tables. Without a column for the plate, the map holds for every plate; a column for
 * the experiment says which plates belong together.
 */
export const readPlateMap = async (path: string, opening: Opening): Promise<PlateMap> => {
  const table = await readTable(path, opening);
  opening.took("plate map", path);
  const rules = {
    names: usualNames,
    needed: ["well"],
    plate: unsaid,
    experiment: unsaid,
    cellType: () => unsaid,
  } as const;
  const read = openSiteTable(table, rules, opening);
  const wells = new Map<string, MappedWell>();
  const plates = new Set<string>();
  const contents = ({ site: _, ...of }: SiteAddress) => JSON.stringify(of);
  for (const { row, site } of read === undefined ? [] : read.rows()) {
    const before = wells.get(keyOf(site));
    plates.add(site.plate);
    if (before === undefined) wells.set(keyOf(site), { row, site });
    else if (contents(before.site) !== contents(site))
      opening.problems.add({
        place: table.place(row),
        rule: "a plate map says one thing of each well",
        detail: `, and ${site.plate} ${site.well} stands in ${table.place(before.row)} with something else`,
      });
  }
  const used = new Set<string>();
  const seen = { plates: new Set<string>(), missing: new Set<string>() };
  const find = ({ plate, well }: Pick<SiteAddress, "plate" | "well">) =>
    [keyOf({ plate, well }), keyOf({ plate: unsaid, well })].find((key) => wells.has(key));
  return {
    path,
    place(given) {
      seen.plates.add(given.plate);
      const key = find(given);
      if (key === undefined) {
        seen.missing.add(`${given.plate} ${given.well}`);
        return given;
      }
      used.add(key);
      const { experiment, cellType, wellType, treatment } = wells.get(key)!.site;
      return {
        ...{ ...given, wellType },
        ...(experiment === unsaid ? {} : { experiment }),
        ...(cellType === unsaid ? {} : { cellType }),
        ...(treatment === undefined ? {} : { treatment }),
      };
    },
    metadata(site) {
      const key = find(site);
      if (key === undefined) return {};
      const { row } = wells.get(key)!;
      return Object.fromEntries(
        read!.others.map((name) => [name.replace(/^metadata[_ .-]/i, ""), table.get(row, name)]),
      );
    },
    finish(root) {
      const list = (names: Iterable<string>) => {
        const all = [...names];
        return `${all.slice(0, shown).join(", ")}${all.length > shown ? `, and ${all.length - shown} more` : ""}`;
      };
      if (used.size === 0 && wells.size > 0) {
        const detail = `: the map has plates ${list(plates)}, the images ${list(seen.plates)}`;
        opening.problems.add({ place: path, rule: `no well of the map is a well of ${root}`, detail });
        return;
      }
      if (seen.missing.size > 0)
        opening.note(`${path} does not say what ${seen.missing.size} wells hold: ${list(seen.missing)}`);
      const idle = [...wells].flatMap(([key, { site }]) =>
        used.has(key) ? [] : [`${site.plate} ${site.well}`.trim()],
      );
      if (idle.length > 0) opening.note(`${path} names ${idle.length} wells without an image: ${list(idle)}`);
    },
  };
};

const keyOf = ({ plate, well }: Pick<SiteAddress, "plate" | "well">): string => `${plate}\n${well}`;
