/** What `pipeline status` does. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import logUpdate from "log-update";
import { byteSize } from "../../common/quantities.ts";
import { type Overview, overview } from "../../pipeline/bus/nats/overview.ts";
import type { WorkerEntry } from "../../pipeline/workers/directory.ts";
import type { BusOptions } from "../parts/with-bus.ts";
import { withBus } from "../parts/with-bus.ts";

export interface StatusOptions extends BusOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

const watchMs = 1_000;

export const showStatus = async (options: StatusOptions): Promise<void> => {
  const { watch, json } = options;
  const render = (seen: Overview) => (json ? JSON.stringify(seen) : renderOverview(seen));
  await withBus(options, async (parts) => {
    if (!watch) return void process.stdout.write(`${render(await overview(parts))}\n`);
    const stop = new AbortController();
    void once(process, "SIGINT").then(() => stop.abort());
    while (!stop.signal.aborted) {
      const text = render(await overview(parts));
      if (process.stdout.isTTY && !json) logUpdate(text);
      else process.stdout.write(`${text}\n`);
      await sleep(watchMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
    logUpdate.done();
  });
};

/** A few lines for a terminal. */
export const renderOverview = (seen: Overview, now: number = Date.now()): string => {
  const { server, counts, running, nodes, workers, withoutNode, experiments, damage, replicas } = seen;
  const { queued, waiting, done } = counts;
  const lines = [
    server,
    `${queued} queued, ${counts.running} running, ${waiting} waiting to be tried again, ${done} done, ${counts.failed} failed`,
  ];
  for (const { experiment, node, attempt, sites, sitesDone } of running) {
    const far = sites === 0 ? "" : `, ${sitesDone} of ${sites} sites`;
    const where = node === undefined ? "on a node that is gone: another one takes it soon" : `on ${node}${far}`;
    lines.push(`  running   ${experiment} ${where}${attempt > 1 ? `, attempt ${attempt}` : ""}`);
  }
  for (const { id, state, attempts, reason } of experiments) {
    if (state === "waiting") lines.push(`  waiting   ${id} after attempt ${attempts}: ${reason}`);
    if (state === "failed") lines.push(`  failed  ${id}: ${reason}`);
  }
  lines.push(nodes.length === 0 ? "no nodes" : `${nodes.length} node${nodes.length === 1 ? "" : "s"}`);
  for (const { node, cellTypes, running: has, draining, since } of nodes) {
    const does = draining
      ? "leaving"
      : has.length === 0
        ? "idle"
        : `runs ${has.map((each) => each.experiment).join(", ")}`;
    lines.push(`  ${node}: ${cellTypes.join(", ") || "takes nothing: no worker"}; ${does}; since ${since}`);
  }
  lines.push(workers.length === 0 ? "no workers" : `${workers.length} worker${workers.length === 1 ? "" : "s"}`);
  lines.push(...workers.map((worker) => `  ${renderWorker(worker, now)}`));
  if (withoutNode.length > 0)
    lines.push(`no node takes ${withoutNode.join(", ")}: start one whose workers have a network for it`);
  lines.push(...damage.map((what) => `damaged: ${what}; \`pipeline repair --bus URL --results DIR...\` mends it`));
  if (replicas === 1)
    lines.push(
      "one server keeps everything; after a power cut it has lost up to 2 minutes unless it has sync_interval: always",
    );
  return lines.join("\n");
};

const renderWorker = (entry: WorkerEntry, now: number) => {
  const { address, host, models, runtime, provider, refused = [], received, load, since, version } = entry;
  const names = [...new Set(models.map(({ name }) => name))];
  const networks = names.map(
    (name) => `${name} for ${models.flatMap((model) => (model.name === name ? [model.cellType] : [])).join(", ")}`,
  );
  const does = load === 0 ? "idle" : `${load} request${load === 1 ? "" : "s"} in hand`;
  return `${address} on ${host}: ${networks.join("; ")}; ${runtime} on ${provider}${refused.map((other) => `, not on ${other.provider}`).join("")}; ${does}${pixelsOf(received)}; up ${age(now - Date.parse(since))}; version ${version}`;
};

/** How pixels came to the worker; nothing where none did, or it is of an older version. */
const pixelsOf = (received: WorkerEntry["received"]): string => {
  const { socket = 0, "shared-memory": shared = 0 } = received ?? {};
  const ways = [
    ...(shared > 0 ? [`${byteSize(shared)} of pixels by shared memory`] : []),
    ...(socket > 0 ? [`${byteSize(socket)} of pixels by socket`] : []),
  ];
  return ways.map((way) => `; ${way}`).join("");
};

const age = (ms: number): string => {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1_000))} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} days`;
};
