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
  { name: "ome-zarr", description: "OME-Zarr plates", load: async () => (await import("./ome-zarr.ts")).omeZarr },
  { name: "wilds", description: "RxRx1-WILDS", load: async () => (await import("./wilds.ts")).wilds },
  { name: "rxrx1", description: "RxRx1, RxRx2 and RxRx19", load: async () => (await import("./rxrx1.ts")).rxrx1 },
  { name: "kaggle", description: "the Kaggle competition", load: async () => (await import("./kaggle.ts")).kaggle },
  {
    name: "harmony",
    description: "Opera Phenix and Operetta",
    load: async () => (await import("./harmony.ts")).harmony,
  },
  { name: "cv8000", description: "Yokogawa CV7000 and CV8000", load: async () => (await import("./cv8000.ts")).cv8000 },
  {
    name: "imagexpress",
    description: "ImageXpress",
    load: async () => (await import("./imagexpress.ts")).imagexpress,
  },
  {
    name: "ome-companion",
    description: "OME-TIFF with a companion file",
    load: async () => (await import("./ome-companion.ts")).omeCompanion,
  },
  { name: "table", description: "CellProfiler's load_data.csv", load: async () => (await import("./table.ts")).table },
];
