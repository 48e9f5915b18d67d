/** The plate map of a run, where --view asks for one. */
import { once } from "node:events";
import type { Dataset } from "../../datasets/open.ts";
import type { EventStore } from "../../pipeline/events/store.ts";
import type { Status } from "../../pipeline/run/status.ts";
import type { StartOptions } from "./read-config.ts";

export interface RunView {
  next(status: Status): void;
  /** People who watch go on watching when the run has ended: resolves at Ctrl-C; at once where nobody sits at a terminal. */
  stay(): Promise<void>;
  close(): Promise<void>;
}

interface Run {
  /** Folder of the results. */
  readonly dir: string;
  readonly events: EventStore;
  readonly dataset: Dataset;
  readonly experiments: readonly { readonly id: string }[];
}

const none: RunView = { next: () => undefined, stay: async () => undefined, close: async () => undefined };

export const openRunView = async (
  options: StartOptions,
  { dir, events, dataset, experiments }: Run,
  say: (what: string) => void,
): Promise<RunView> => {
  if (options.view === undefined) return none;
  const [{ servePlateMap }, { openLiveSource }, { reportedIn }] = await Promise.all([
    import("../parts/serve-plate-map.ts"),
    import("../../web/server/sources/store.ts"),
    import("../../web/server/sources/run-folder.ts"),
  ]);
  const source = openLiveSource({
    name: dir,
    files: dataset,
    reported: reportedIn(dir),
    events,
    experiments: experiments.map(({ id }) => id),
  });
  const view = await servePlateMap(source, undefined, { ...options, viewListen: options.view }, say);
  say(`the plate map is at ${view.url}`);
  return {
    next: source.next,
    async stay() {
      if (!process.stderr.isTTY) return;
      process.stderr.write(`the run has ended; the plate map stays at ${view.url} until Ctrl-C\n`);
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
    },
    close: view.close,
  };
};
