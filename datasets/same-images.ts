/** Finds images that a table names twice: in two channels of a site, or in two rows. */
import type { Table } from "./csv-table.ts";
import type { ImageColumns } from "./image-columns.ts";

export interface SameImages {
  /** `texts` is what the column of each channel says in the row. */
  look(row: number, texts: readonly string[]): void;
  /** What was found, in words. */
  notes(): string[];
}

export const findSameImages = (table: Table, channels: readonly ImageColumns[]): SameImages => {
  let inChannels = 0;
  let inRows = 0;
  /** Of the first channel: names by what else distinguishes its images. */
  const seen = new Map<string, Set<string>>();
  /** Folder and plane, where the table has columns for them. */
  const rest = (row: number, { folder, frame, series }: ImageColumns): string => {
    let key = folder === undefined ? "" : table.get(row, folder);
    for (const column of [frame, series]) if (column !== undefined) key += `\n${table.get(row, column)}`;
    return key;
  };
  const twins = (row: number, texts: readonly string[]): boolean => {
    for (let one = 1; one < texts.length; one++) {
      for (let other = 0; other < one; other++) {
        if (texts[one] === texts[other] && rest(row, channels[one]!) === rest(row, channels[other]!)) return true;
      }
    }
    return false;
  };
  return {
    look(row, texts) {
      if (twins(row, texts)) inChannels += 1;
      const key = rest(row, channels[0]!);
      const names = seen.get(key);
      if (names === undefined) seen.set(key, new Set([texts[0]!]));
      else if (names.has(texts[0]!)) inRows += 1;
      else names.add(texts[0]!);
    },
    notes() {
      const rows = (count: number) => `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}`;
      const found: string[] = [];
      if (inChannels > 0) found.push(`${table.path}: two channels are the same image in ${rows(inChannels)}`);
      if (inRows > 0) {
        const { name } = channels[0]!;
        found.push(`${table.path}: ${rows(inRows)} name an image of channel ${name} that an earlier row names, too`);
      }
      return found;
    },
  };
};
