/** Faults of nodes, workers, clocks and networks that came later than the first ones. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault.ts";

export const processFaults: readonly Fault[] = [
  {
    name: "SIGSTOP of one of two nodes for 5 s, with all its streams; it counts as dead after 2 s",
    source: "nats-server 5799, 5612",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      const node = await scene.midExperiment();
      scene.strike();
      node.signal("SIGSTOP");
      await sleep(5_000);
      node.signal("SIGCONT");
    },
  },
  {
    name: "SIGTERM of one of two nodes, which hands back what it has",
    source: "a rolling restart",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      const node = await scene.midExperiment();
      scene.strike();
      node.signal("SIGTERM");
      node.signal("SIGTERM");
      await node.ended;
      scene.startNode(node.name);
    },
  },
  {
    name: "50 times: kill -9 of a node, then two starts on its folder at once: one gets it",
    source: "two starts after a kill: both had the folder",
    arrange: { workers: 1, nodes: 0 },
    longer: 8,
    async break(scene) {
      const config = join(scene.folder, "run.yaml");
      await writeFile(config, JSON.stringify({ attempts: 200 })); // a kill costs the experiment one
      const start = () => scene.startNode("node-1", "--config", config, "--results-listen", "127.0.0.1:0");
      let holder = start();
      await scene.midExperiment();
      scene.strike();
      for (let round = 1; round <= 50; round++) {
        await holder.kill();
        const both = [start(), start()];
        const [loser, code] = await Promise.race(
          both.map((each) => each.ended.then((ended) => [each, ended] as const)),
        );
        holder = both.find((each) => each !== loser)!;
        if (code !== 2 || !holder.running())
          throw new Error(`round ${round}: nobody got the folder, one ended with ${code}`);
        await Promise.race([holder.ended, sleep(200)]);
        if (!holder.running()) throw new Error(`round ${round}: both were refused the folder`);
      }
      await holder.kill();
      scene.startNode("node-1", "--config", config);
    },
  },
  {
    name: "the clock of a node jumps an hour back",
    source: "a waiting attempt that did not begin for as long",
    arrange: { workers: 1, nodes: 2, clock: true },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await scene.setClock(-3_600);
    },
  },
  {
    name: "the clock of a node jumps an hour forward",
    arrange: { workers: 1, nodes: 2, clock: true },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await scene.setClock(3_600);
    },
  },
  {
    name: "both workers are killed, and one starts again after 3 s",
    arrange: { workers: 2, nodes: 1 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      const { address } = scene.workers[0]!;
      await Promise.all(scene.workers.map((worker) => worker.kill()));
      await sleep(3_000);
      await scene.startWorker(address);
    },
  },
  {
    name: "the connection of a node to nats-server is cut five times, half a second each",
    arrange: { workers: 1, nodes: 2, links: "bus" },
    async break(scene) {
      await scene.nodes[0]!.hear(({ type }) => type === "site-done");
      scene.strike();
      for (let times = 0; times < 5; times++) {
        for (const link of scene.links) link.cut();
        await sleep(500);
        for (const link of scene.links) link.mend();
        await sleep(500);
      }
    },
  },
  {
    name: "a slow network: a node is 100 ms away from nats-server",
    arrange: { workers: 1, nodes: 2, links: "bus", delayMs: 100 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
    },
  },
  {
    name: "a slow network: workers are 50 ms away from a node, and their connections are cut once",
    arrange: { workers: 2, nodes: 1, links: "workers", delayMs: 50 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      for (const link of scene.links) link.cut();
      await sleep(500);
      for (const link of scene.links) link.mend();
    },
  },
];
