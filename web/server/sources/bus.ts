/** A bus of many machines: its events, and what its nodes and workers say of themselves. */
import { natsEvents } from "../../../pipeline/bus/nats/events.ts";
import type { NatsBusParts } from "../../../pipeline/bus/nats/open.ts";
import { overview } from "../../../pipeline/bus/nats/overview.ts";
import type { ScreenFiles, ViewSource } from "../view-source.ts";
import { openStoreSource } from "./store.ts";

export const openBusSource = (parts: NatsBusParts, files: ScreenFiles | undefined): ViewSource =>
  openStoreSource({
    name: parts.server,
    files,
    events: natsEvents(parts),
    async look(state) {
      const { nodes, workers, running } = await overview(parts);
      for (const { experiment, sites, sitesDone, node } of running) {
        state.progress(experiment, {
          progress: { sites: sitesDone, of: sites },
          ...(node === undefined ? {} : { node }),
        });
      }
      state.activity({
        nodes: nodes.map(({ node, host, cellTypes, running: now, draining }) => ({
          node,
          host,
          cellTypes,
          running: now.map(({ experiment }) => experiment),
          draining,
        })),
        workers: workers.map(({ address, host, provider, models, load }) => ({
          address,
          host,
          provider,
          models: models.map(({ name, cellType }) => `${name} ${cellType}`),
          load,
        })),
        ended: false,
      });
    },
  });
