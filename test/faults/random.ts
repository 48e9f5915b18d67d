/** Random mixes of faults, the same ones for the same seed. */
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../common/random.ts";
import type { Fault } from "./fault.ts";
import type { Scene } from "./scene.ts";

type Blow = (scene: Scene, pick: (below: number) => number) => Promise<unknown>;

/** Everything that is broken is made whole again, so that the experiments can be called in the end. */
const blows: Readonly<Record<string, Blow>> = {
  "a worker is killed": async (scene, pick) => {
    const worker = scene.workers[pick(2)]!;
    await worker.kill();
    await scene.startWorker(worker.address);
  },
  "a worker is stopped": (scene, pick) => pause(scene.workers[pick(scene.workers.length)]!, 2_000),
  "a node is killed": async (scene, pick) => {
    const name = `node-${pick(2) + 1}`;
    const node = scene.nodes.findLast((each) => each.name === name)!;
    await node.kill();
    scene.startNode(name);
  },
  "a node is stopped": (scene, pick) => pause(scene.nodes[pick(scene.nodes.length)]!, 3_000),
  "nats-server is killed": async (scene, pick) => {
    await scene.server.kill();
    await sleep(pick(2_000));
    await scene.server.restart();
  },
  "nats-server is stopped": async (scene) => {
    process.kill(scene.server.pid, "SIGSTOP");
    await sleep(3_000);
    process.kill(scene.server.pid, "SIGCONT");
  },
  "the consumer is deleted": ({ bus: { streams } }) =>
    streams.manager.consumers.delete(streams.names.queue, streams.names.consumer("HUVEC")).catch(() => false),
  "the queue is deleted": ({ bus: { streams } }) =>
    streams.manager.streams.delete(streams.names.queue).catch(() => false),
};

const pause = async (process: Pick<Scene["nodes"][number], "signal">, ms: number) => {
  process.signal("SIGSTOP");
  await sleep(ms);
  process.signal("SIGCONT");
};

/** Row `index` of a seed: two to five blows, up to 3 s apart. */
export const randomFault = (seed: number, index: number): Fault => {
  const random = seededRandom(`faults ${seed} ${index}`);
  const pick = (below: number) => Math.floor(random() * below);
  const names = Array.from({ length: 2 + pick(4) }, () => Object.keys(blows)[pick(Object.keys(blows).length)]!);
  return {
    name: `${index}: ${names.join(", ")}`,
    arrange: { workers: 2, nodes: 2 },
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      for (const name of names) {
        await blows[name]!(scene, pick);
        await sleep(pick(3_000));
      }
    },
  };
};
