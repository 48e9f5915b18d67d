/** Opens a dataset, whatever its layout. */
import { resolve } from "node:path";
import type { Dataset, Layout } from "./dataset.ts";
import { openRxrx1 } from "./rxrx1.ts";

export type { Dataset, Layout } from "./dataset.ts";

export interface OpenOptions {
  /** `auto` looks at the files. */
  readonly layout?: Layout | "auto" | undefined;
}

export const openDataset = async (dir: string, _options: OpenOptions = {}): Promise<Dataset> => openRxrx1(resolve(dir));
