import { Option } from "commander";
import type { Layout } from "../../datasets/dataset.ts";

export type LayoutChoice = Layout | "auto";

const layouts: readonly LayoutChoice[] = ["auto", "rxrx1", "kaggle", "wilds", "table"];

/** `--layout`, for every command that opens a dataset. */
export const layoutOption = (): Option =>
  new Option("--layout <name>", "how the dataset lies on disk; auto: found out from its files")
    .choices(layouts)
    .default("auto");
