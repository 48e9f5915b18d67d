/** The faults, one after the other: what stands there, and what happens to it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Arrangement, Scene } from "./scene.ts";

export interface Fault {
  readonly name: string;
  readonly arrange: Arrangement;
  /** Does the damage and, where that belongs to it, repairs it; calls `scene.strike()` at the blow. */
  readonly break: (scene: Scene) => Promise<void>;
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
];
