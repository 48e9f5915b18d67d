/** Where files lie. A new kind of store is a file that opens `Bytes`, and a line here. */
import { unreadable } from "../unreadable.ts";
import type { Bytes } from "./bytes.ts";
import { openLocalFile } from "./local-file.ts";

const stores: Readonly<Record<string, (location: string) => Promise<Bytes>>> = {
  file: openLocalFile,
};

export const openLocation = (location: string): Promise<Bytes> => {
  const scheme = /^([a-z][a-z0-9+]+):/i.exec(location)?.[1]?.toLowerCase() ?? "file";
  const store = stores[scheme];
  if (store !== undefined) return store(location);
  throw unreadable(
    `there is no way to read ${scheme}: locations; known are paths and ${Object.keys(stores).join(", ")}`,
  );
};
