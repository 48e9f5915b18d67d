/** The plate map of a run, where --view asks for one. */
import { once } from "node:events";
import type { Dataset } from "../../datasets/open.ts";
import type { NatsBusParts } from "../../pipeline/bus/nats/open.ts";
import type { EventStore } from "../../pipeline/events/store.ts";
import type { Status } from "../../pipeline/run/status.ts";
import type { ViewSource } from "../../web/server/view-source.ts";
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
  const [{ openLiveSource }, { reportedIn }] = await Promise.all([
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
  return { next: source.next, ...(await serve(source, options, options.view, say)) };
};

/** The plate map of everything on a bus, from one of its nodes. Pictures need a dataset, and a bus has many. */
export const openBusView = async (
  options: StartOptions,
  nats: NatsBusParts,
  say: (what: string) => void,
): Promise<RunView> => {
  if (options.view === undefined) return none;
  const { openBusSource } = await import("../../web/server/sources/bus.ts");
  return { ...none, ...(await serve(openBusSource(nats, undefined), options, options.view, say)) };
};

const serve = async (
  source: ViewSource,
  options: StartOptions,
  viewListen: string,
  say: (what: string) => void,
): Promise<Pick<RunView, "stay" | "close">> => {
  const { servePlateMap } = await import("../parts/serve-plate-map.ts");
  const view = await servePlateMap(source, undefined, { ...options, viewListen }, say);
  say(`the plate map is at ${view.url}`);
  return {
    async stay() {
      if (!process.stderr.isTTY) return;
      process.stderr.write(`the run has ended; the plate map stays at ${view.url} until Ctrl-C\n`);
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
    },
    close: view.close,
  };
};
