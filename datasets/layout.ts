/** What a layout of files on disk has to say for itself. One file per layout, and one line in `layouts.ts`. */
import type { Dataset } from "./dataset.ts";
import type { Opening } from "./opening.ts";

/** Where `--data` points. */
export interface Place {
  /** Absolute path of a folder, or of a file. */
  readonly root: string;
  /** Names in the folder; undefined where the place is a file. */
  readonly entries: readonly string[] | undefined;
}

export interface Layout {
  /** Its files say where images lie and not what is in the wells, so that a plate map may. */
  readonly withoutLabels?: boolean;
  /** How its files are recognised, for the message about a folder that is not a dataset. */
  readonly expects: string;
  /**
   * Whether the files at the place lie in this layout. Looks at names, or at the beginning of a file; the first layout
   * of the list that says yes is taken. Throws `invalid-data` where it is nearly this layout and something is missing.
   */
  detect(place: Place): Promise<boolean>;
  /** Reads the tables, never the images. What is wrong with rows goes to `opening.problems`. */
  open(place: Place, opening: Opening): Promise<Dataset>;
}
