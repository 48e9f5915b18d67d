/** Faults of what nats-server stores: streams that are deleted, files that are damaged or older than what it acknowledged. */
import { cp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { experiments, type Fault } from "./fault.ts";
import type { Scene } from "./scene.ts";

/** The folder of all that the server stores. */
const storeOf = ({ server }: Scene): string => {
  const up = (path: string, levels: number): string => (levels === 0 ? path : up(dirname(path), levels - 1));
  return up(server.messagesOf("x"), 5);
};

const restartAfter = async (scene: Scene, damage: () => Promise<unknown>): Promise<void> => {
  await scene.midExperiment();
  scene.strike();
  await scene.server.kill();
  await damage();
  await scene.server.restart();
};

const blocksOf = async (scene: Scene, stream: string): Promise<string[]> => {
  const folder = scene.server.messagesOf(stream);
  return (await readdir(folder)).filter((name) => name.endsWith(".blk")).map((name) => join(folder, name));
};

const firstDone = (scene: Scene) =>
  Promise.race(scene.nodes.map((node) => node.hear(({ type }) => type === "experiment-done")));

/** What is done to each block of events while the server is down. */
const eventsDamaged =
  (damage: (block: string) => Promise<unknown>): Fault["break"] =>
  async (scene) => {
    await firstDone(scene);
    await restartAfter(scene, async () => {
      for (const block of await blocksOf(scene, scene.bus.streams.names.events)) await damage(block);
    });
  };

export const storeFaults: readonly Fault[] = [
  {
    name: "the consumer of the queue is deleted while two nodes work",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      const { manager, names } = scene.bus.streams;
      await scene.midExperiment();
      scene.strike();
      await manager.consumers.delete(names.queue, names.consumer("HUVEC"));
    },
  },
  {
    name: "the stream of the queue is deleted while two nodes work",
    source: "nats-server 7556",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      const { manager, names } = scene.bus.streams;
      await scene.midExperiment();
      scene.strike();
      await manager.streams.delete(names.queue);
    },
  },
  {
    name: "the records of all experiments are deleted while a node works",
    source: "nats-server 7556",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    async break(scene) {
      const { manager, names } = scene.bus.streams;
      await scene.midExperiment();
      scene.strike();
      await manager.streams.delete(`KV_${names.records}`);
    },
  },
  {
    name: "the stream of events is deleted while a node works",
    source: "nats-server 7556",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    async break(scene) {
      const { manager, names } = scene.bus.streams;
      await firstDone(scene);
      scene.strike();
      await manager.streams.delete(names.events);
    },
  },
  {
    name: "the consumer's position is set back to the start of the queue",
    source: "nats-server 8036",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await scene.bus.streams.restartConsumer("HUVEC");
    },
  },
  {
    name: "nats-server's store is rolled back to an older copy, as by a power cut",
    source: "nats-server 7564, Jepsen 2.12.1",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    async break(scene) {
      const [store, copy] = [storeOf(scene), join(scene.folder, "older")];
      process.kill(scene.server.pid, "SIGSTOP");
      await cp(store, copy, { recursive: true });
      process.kill(scene.server.pid, "SIGCONT");
      await firstDone(scene);
      scene.strike();
      await scene.server.kill();
      await rm(store, { recursive: true });
      await cp(copy, store, { recursive: true });
      await scene.server.restart();
    },
  },
  {
    name: "a bit of a block of events is flipped while nats-server is down",
    source: "nats-server 7549",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    break: eventsDamaged(async (block) => {
      const bytes = await readFile(block);
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(block, bytes);
    }),
  },
  {
    name: "a block of events is cut in half while nats-server is down",
    source: "nats-server 7549",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    break: eventsDamaged(async (block) => truncate(block, (await readFile(block)).length >> 1)),
  },
  {
    name: "the block of the queue is emptied while nats-server is down",
    source: "nats-server 7549",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      await restartAfter(scene, async () => {
        for (const block of await blocksOf(scene, scene.bus.streams.names.queue)) await truncate(block);
      });
    },
  },
  {
    name: "nats-server's whole store is lost, and the experiments are submitted again",
    source: "a disk that broke",
    arrange: { workers: 1, nodes: 1 },
    destroys: true,
    async break(scene) {
      await firstDone(scene);
      scene.strike();
      await scene.server.kill();
      await rm(storeOf(scene), { recursive: true });
      await scene.server.restart();
      await scene.submit();
      // A node that has seen the queue empty before is gone, and somebody starts it again.
      const settled = scene.settled(experiments).then(() => true);
      while (!(await Promise.race([settled, scene.nodes.at(-1)!.ended.then(() => false)]))) scene.startNode("node-1");
    },
  },
  {
    name: "kill -9 of nats-server three times, 1 s apart",
    arrange: { workers: 1, nodes: 2 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      for (let times = 0; times < 3; times++) {
        await scene.server.kill();
        await scene.server.restart();
        await sleep(1_000);
      }
    },
  },
  {
    name: "a node is killed, and a file of its results is emptied by hand before it starts again",
    arrange: { workers: 1, nodes: 1 },
    async break(scene) {
      const { experiment: emptied = "" } = await firstDone(scene);
      const [node] = scene.nodes;
      const later = experiments.slice(2); // two run at a time, and both may be done
      await node!.hear(({ type, experiment = "" }) => type === "site-done" && later.includes(experiment));
      scene.strike();
      await node!.kill();
      await truncate(join(scene.folder, "node-1", "experiments", emptied, "wells.json"));
      await scene.startNode("node-1").ended;
      await scene.settled(experiments);
    },
  },
];
