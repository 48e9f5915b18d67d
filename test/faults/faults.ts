/** The faults, one after the other: what stands there, and what happens to it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Arrangement, Scene } from "./scene.ts";

export interface Fault {
  readonly name: string;
  readonly arrange: Arrangement;
  /** Does the damage and, where that belongs to it, repairs it; calls `scene.strike()` at the blow. */
  readonly break: (scene: Scene) => Promise<void>;
  /** An experiment that must end as a dead letter; all others must be called. */
  readonly givenUp?: GivenUp;
}

export interface GivenUp {
  readonly experiment: string;
  readonly attempts: number;
  readonly stage?: string;
  readonly reason: RegExp;
}

export const faults: readonly Fault[] = [
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
    arrange: { workers: 2, nodes: 1 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      scene.workers[0]!.signal("SIGSTOP");
      await sleep(5_000);
      scene.workers[0]!.signal("SIGCONT");
    },
  },
  {
    name: "SIGSTOP of the only worker for 5 s, its deadline is 3 s",
    arrange: { workers: 1, nodes: 1 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      scene.workers[0]!.signal("SIGSTOP");
      await sleep(5_000);
      scene.workers[0]!.signal("SIGCONT");
    },
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
    name: "an experiment with images that cannot be decoded",
    arrange: { workers: 1, nodes: 1, poison: "HUVEC-03" },
    async break(scene) {
      await scene.nodes[0]!.hear(({ type, experiment }) => type === "experiment-started" && experiment === "HUVEC-03");
      scene.strike();
    },
    givenUp: { experiment: "HUVEC-03", attempts: 1, stage: "decode", reason: /unreadable-image.*HUVEC-03/s },
  },
];
