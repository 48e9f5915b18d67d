/** Where files lie. A new kind of store is a file that opens `Bytes`, and a line here. */
import { unreadable } from "../unreadable.ts";
import type { Bytes } from "./bytes.ts";
import { openUrl } from "./http.ts";
import { openLocalFile } from "./local-file.ts";
import { openS3 } from "./s3.ts";

const stores: Readonly<Record<string, (location: string) => Promise<Bytes>>> = {
  file: openLocalFile,
  http: openUrl,
  https: openUrl,
  s3: openS3,
};

export const openLocation = (location: string): Promise<Bytes> => {
  const scheme = /^([a-z][a-z0-9+]+):/i.exec(location)?.[1]?.toLowerCase() ?? "file";
  const store = stores[scheme];
  if (store !== undefined) return store(location);
  throw unreadable(
    `there is no way to read ${scheme}: locations; known are paths and ${Object.keys(stores).join(", ")}`,
  );
};
