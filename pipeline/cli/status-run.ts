/** What `pipeline status` does. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import logUpdate from "log-update";
import { type Overview, overview } from "../bus/nats/overview.ts";
import type { StatusOptions } from "./status.ts";
import { withBus } from "./with-bus.ts";

const watchMs = 1_000;

export const showStatus = async ({ bus, watch, json }: StatusOptions): Promise<void> => {
  const render = (seen: Overview) => (json ? JSON.stringify(seen) : renderOverview(seen));
  await withBus(bus, async (parts) => {
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
export const renderOverview = ({ server, counts, running, nodes, withoutNode, experiments }: Overview): string => {
  const { queued, waiting, done } = counts;
  const lines = [
    server,
    `${queued} queued, ${counts.running} running, ${waiting} waiting to be tried again, ${done} done, ${counts["given-up"]} given up`,
  ];
  for (const { experiment, node, attempt, sites, sitesDone } of running) {
    const far = sites === 0 ? "" : `, ${sitesDone} of ${sites} sites`;
    const where = node === undefined ? "on a node that is gone: another one takes it soon" : `on ${node}${far}`;
    lines.push(`  running   ${experiment} ${where}${attempt > 1 ? `, attempt ${attempt}` : ""}`);
  }
  for (const { id, state, attempts, reason } of experiments) {
    if (state === "waiting") lines.push(`  waiting   ${id} after attempt ${attempts}: ${reason}`);
    if (state === "given-up") lines.push(`  given up  ${id}: ${reason}`);
  }
  lines.push(nodes.length === 0 ? "no nodes" : `${nodes.length} node${nodes.length === 1 ? "" : "s"}`);
  for (const { node, cellTypes, running: has, draining, since } of nodes) {
    const does = draining
      ? "leaving"
      : has.length === 0
        ? "idle"
        : `runs ${has.map((each) => each.experiment).join(", ")}`;
    lines.push(`  ${node}: ${cellTypes.join(", ")}; ${does}; since ${since}`);
  }
  if (withoutNode.length > 0)
    lines.push(`no node takes ${withoutNode.join(", ")}: start one whose workers have a network for it`);
  return lines.join("\n");
};
