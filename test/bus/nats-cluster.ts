/** Three nats-servers that are one cluster: what is stored with three replicas outlives one of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { connectNats, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { openManager } from "../../pipeline/bus/nats/jetstream.ts";
import { freePort, type NatsServer, startNatsServer } from "./nats-server.ts";

export interface Member extends NatsServer {
  readonly name: string;
}

export interface NatsCluster {
  /** Names all members. */
  readonly url: string;
  readonly members: readonly Member[];
  /** The member that leads a stream now. */
  leaderOf(stream: string): Promise<Member>;
  /** Resolves when every member has all that the others have. */
  inStep(): Promise<void>;
  close(): Promise<void>;
}

const names = ["one", "two", "three"];
const limitMs = 60_000;

export const startNatsCluster = async (folder: string): Promise<NatsCluster> => {
  const ports: number[] = [];
  for (const _ of names) ports.push(await freePort());
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
  const members = await Promise.all(
    names.map(async (name, index): Promise<Member> => {
      const cluster = ["--cluster_name", "test", "--cluster", routes[index]!, "--routes", routes.join(",")];
      const server = await startNatsServer({ folder, flags: ["-n", name, ...cluster] });
      return Object.assign(server, { name });
    }),
  );
  const url = `nats://${members.map((member) => member.url.slice("nats://".length)).join(",")}`;
  const { nc } = await connectNats(parseBusUrl(url), "cluster", () => undefined);
  const close = async () => {
    await nc.close();
    await Promise.all(members.map((member) => member.close()));
  };
  try {
    const manager = await openManager(nc);
    const isReady = async () => {
      const made = await manager.streams.add({ name: "ready", subjects: ["ready"], num_replicas: names.length });
      await manager.streams.delete(made.config.name);
      return true;
    };
    for (const until = Date.now() + limitMs; !(await isReady().catch(() => false)); await sleep(200)) {
      if (Date.now() > until) throw new Error("three servers did not become a cluster");
    }
    return {
      url,
      members,
      async leaderOf(stream) {
        const { cluster } = await manager.streams.info(stream);
        return members.find(({ name }) => name === cluster?.leader)!;
      },
      async inStep() {
        const isInStep = async () => {
          const streams = await manager.streams.list().next();
          const replicas = streams.flatMap(({ cluster }) => cluster?.replicas ?? []);
          return replicas.every(({ current, offline = false }) => current && !offline);
        };
        for (const until = Date.now() + limitMs; !(await isInStep().catch(() => false)); await sleep(200)) {
          if (Date.now() > until) throw new Error("a server did not get what the others have");
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
