/** Faults of one of three nats-servers that are a cluster; everything is stored with three replicas. */
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Member } from "../bus/nats-cluster.ts";
import type { Fault } from "./fault.ts";
import type { Scene } from "./scene.ts";

const cluster = { workers: 1, nodes: 2, servers: 3 } as const;

/** Something happens to the server that leads the queue, while two nodes work. */
const leaderStruck =
  (strike: (leader: Member) => Promise<unknown>): Fault["break"] =>
  async (scene) => {
    await scene.midExperiment();
    const leader = await scene.cluster!.leaderOf(scene.bus.streams.names.queue);
    scene.strike();
    await strike(leader);
  };

const eachRestarted = async ({ cluster }: Scene, beforeTheNext: () => Promise<unknown>): Promise<void> => {
  for (const member of cluster!.members) {
    await member.kill();
    await sleep(500);
    await member.restart();
    await beforeTheNext();
  }
};

export const clusterFaults: readonly Fault[] = [
  {
    name: "three servers: the leader of the queue is killed, and is back after 3 s",
    source: "nats-server 7545",
    arrange: cluster,
    longer: 2,
    break: leaderStruck(async (leader) => {
      await leader.kill();
      await sleep(3_000);
      await leader.restart();
    }),
  },
  {
    name: "three servers: the leader of the queue is killed, and comes back with an empty disk",
    source: "nats-server 7567",
    arrange: cluster,
    longer: 2,
    break: leaderStruck(async (leader) => {
      await leader.kill();
      await rm(leader.store, { recursive: true });
      await mkdir(leader.store);
      await sleep(1_000);
      await leader.restart();
    }),
  },
  {
    name: "three servers: the leader of the queue stands still for 5 s",
    source: "nats-server 7545",
    arrange: cluster,
    longer: 2,
    break: leaderStruck(async (leader) => {
      process.kill(leader.pid, "SIGSTOP");
      await sleep(5_000);
      process.kill(leader.pid, "SIGCONT");
    }),
  },
  {
    name: "three servers: each is killed and started again when the others are in step, as in an upgrade",
    source: "a rolling restart",
    arrange: cluster,
    longer: 3,
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await eachRestarted(scene, () => scene.cluster!.inStep());
    },
  },
  {
    name: "three servers: each is killed and started again, 2 s apart, before it has what the others have",
    source: "seen here with nats-server 2.9.10: acknowledged events were gone",
    arrange: cluster,
    longer: 3,
    destroys: true,
    async break(scene) {
      await scene.midExperiment();
      scene.strike();
      await eachRestarted(scene, () => sleep(2_000));
    },
  },
];
