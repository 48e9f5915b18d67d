/**
 * The one list of layouts: to add one, write its file and put it here. The first that recognises a folder opens it. Files
 * are loaded when a dataset is opened, so that help texts can name the layouts at no cost.
 */
import type { Layout } from "./layout.ts";

export interface ListedLayout {
  /** What `--layout` calls it. */
  readonly name: string;
  /** Whose files these are. */
  readonly description: string;
  load(): Promise<Layout>;
}

export const layouts: readonly ListedLayout[] = [
  { name: "wilds", description: "RxRx1-WILDS", load: async () => (await import("./wilds.ts")).wilds },
  { name: "rxrx1", description: "RxRx1, RxRx2 and RxRx19", load: async () => (await import("./rxrx1.ts")).rxrx1 },
  { name: "kaggle", description: "the Kaggle competition", load: async () => (await import("./kaggle.ts")).kaggle },
  { name: "table", description: "CellProfiler's load_data.csv", load: async () => (await import("./table.ts")).table },
];
