/** The faults, one after the other: what stands there, and what happens to it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { freePort } from "../bus/nats-server.ts";
import { clusterFaults } from "./cluster-faults.ts";
import { openLink } from "./cut-link.ts";
import { mountDisk } from "./disk.ts";
import { experiments, type Fault } from "./fault.ts";
import { processFaults } from "./process-faults.ts";
import { storeFaults } from "./store-faults.ts";

const firstWorkerStopped: Fault["break"] = async (scene) => {
  await scene.midExperiment();
  scene.strike();
  scene.workers[0]!.signal("SIGSTOP");
  await sleep(5_000);
  scene.workers[0]!.signal("SIGCONT");
};

export const faults: readonly Fault[] = [
  ...storeFaults,
  ...processFaults,
  ...clusterFaults,
  {
    name: "kill -9 of one of two workers, mid-batch",
    arrange: { workers: 2, nodes: 1 },
    async break(scene) {
      const node = await scene.midExperiment();
      scene.strike();
      await scene.workers[0]!.kill();
      await node.hear(({ type, state }) => type === "worker" && state === "lost");
    },
  },
  {
    name: "kill -9 of the only worker, another on its port after 2 s",
    arrange: { workers: 1, nodes: 1 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await scene.workers[0]!.kill();
      await sleep(2_000);
      await scene.startWorker(scene.workers[0]!.address);
    },
  },
  {
    name: "kill -9 of a node, mid-experiment",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      const node = await scene.midExperiment();
      scene.strike();
      await node.kill();
    },
  },
  {
    name: "kill -9 of nats-server, back with its store after 2 s",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await scene.server.kill();
      await sleep(2_000);
      await scene.server.restart();
    },
  },
  {
    name: "SIGSTOP of one of two workers for 5 s, its deadline is 3 s",
    arrange: { workers: 2, nodes: 1, deadlineMs: 3_000 },
    break: firstWorkerStopped,
  },
  {
    name: "SIGSTOP of the only worker for 5 s, its deadline is 3 s",
    arrange: { workers: 1, nodes: 1, deadlineMs: 3_000 },
    break: firstWorkerStopped,
  },
  {
    name: "connections to both workers cut for 2 s",
    arrange: { workers: 2, nodes: 1, links: "workers" },
    async break(scene) {
      const node = await scene.midExperiment();
      scene.strike();
      for (const link of scene.links) link.cut();
      await node.hear(({ type, state }) => type === "worker" && state === "lost");
      await sleep(2_000);
      for (const link of scene.links) link.mend();
    },
  },
  {
    name: "connection of a node to nats-server cut for 4 s, it counts as dead after 2 s",
    arrange: { workers: 1, nodes: 2, links: "bus" },
    async break(scene) {
      const [node] = scene.nodes;
      await node!.hear(({ type }) => type === "site-done");
      scene.strike();
      for (const link of scene.links) link.cut();
      await node!.hear(({ type, state }) => type === "bus" && state === "lost");
      await sleep(4_000);
      for (const link of scene.links) link.mend();
    },
  },
  {
    name: "an experiment whose images cannot be decoded",
    arrange: { workers: 1, nodes: 1, poison: "HUVEC-03" },
    async break(scene) {
      await scene.nodes[0]!.hear(({ type, experiment }) => type === "experiment-running" && experiment === "HUVEC-03");
      scene.strike();
    },
    givenUp: { experiment: "HUVEC-03", attempts: 1, stage: "decode", reason: /unreadable-image.*HUVEC-03/s },
  },
  {
    name: "a subscriber stops reading until all is done",
    arrange: { workers: 1, nodes: 1 },
    async break(scene) {
      const slow = scene.subscribe();
      await slow.until((seen) => seen.some(({ value }) => value.kind === "call"));
      slow.stopReading();
      scene.strike();
      await scene.settled(experiments);
      slow.goOn();
    },
  },
  {
    name: "a subscriber over gRPC stops reading until all is done, then its connection is cut",
    arrange: { workers: 1, nodes: 0 },
    async break(scene) {
      const address = `127.0.0.1:${await freePort()}`;
      const node = scene.startNode("node-1", "--results-listen", address);
      await node.hear(({ type }) => type === "experiment-running");
      const link = await openLink(address);
      scene.onClose(link.close);
      const slow = scene.followResults(link.address);
      await slow.until((seen) => seen.some(({ value }) => value.kind === "call"));
      slow.stopReading();
      scene.strike();
      await scene.settled(experiments);
      link.cut();
      link.mend();
      slow.goOn();
      const last = await natsEvents(scene.bus).last();
      await slow.until((seen) => seen.at(-1)?.seq === last);
      node.signal("SIGTERM");
    },
  },
  {
    name: "an experiment that kills its node, each time",
    arrange: { workers: 1, nodes: 0 },
    async break(scene) {
      const config = join(scene.folder, "run.yaml");
      const stages = [
        "decode",
        "normalize",
        "batch-by-experiment",
        "infer",
        "./deadly.js",
        "aggregate-sites",
        "plate-assign",
      ];
      await writeFile(join(scene.folder, "deadly.js"), deadly("HUVEC-03"));
      await writeFile(config, JSON.stringify({ stages }));
      // Somebody starts it again each time, as a service manager does.
      while ((await scene.startNode("node-1", "--config", config).ended) === null)
        if (scene.struckAt === undefined) scene.strike();
    },
    givenUp: { experiment: "HUVEC-03", attempts: 3, reason: /its node ended or lost the bus in each of 3 attempts/ },
  },
  {
    name: "the disk for a node's results is full for 3 s",
    arrange: { workers: 1, nodes: 0 },
    async break(scene) {
      const disk = await mountDisk(join(scene.folder, "node-1"), "200k");
      scene.onClose(disk.unmount);
      const node = scene.startNode("node-1");
      await node.hear(({ type, message = "" }) => type === "note" && message.includes("no space left on device"));
      scene.strike();
      await sleep(3_000);
      await disk.enlarge();
    },
  },
  {
    name: "the disk of nats-server is full for 3 s, then it starts again with more room",
    arrange: { workers: 1, nodes: 2, serverDisk: "300k" },
    async break(scene) {
      const { seen } = scene.subscribers[0]!;
      const calls = () => seen.filter(({ value }) => value.kind === "call").length;
      for (let before = -1; calls() === 0 || calls() > before; await sleep(1_000)) before = calls();
      scene.strike();
      await sleep(3_000);
      await scene.server.kill();
      await scene.serverDisk!.enlarge();
      await scene.server.restart();
    },
  },
];

/** A plugin that kills its process after the 20th prediction of an experiment. */
const deadly = (experiment: string): string => `
import { defineStage, z } from "platestream/plugin";
import { tap } from "rxjs";

export default defineStage({
  name: "deadly",
  description: "kills",
  input: "site-prediction",
  output: "site-prediction",
  config: z.strictObject({}),
  apply: (_, { experiment }) => {
    let sites = 0;
    return tap(() => {
      sites += 1;
      if (experiment.id === "${experiment}" && sites === 20) process.kill(process.pid, "SIGKILL");
    });
  },
});
`;
