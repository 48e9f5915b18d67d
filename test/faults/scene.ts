/** The processes of one row of the table: a nats-server, workers, nodes, and somebody who follows the events. */
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { type NatsBusParts, openNats } from "../../pipeline/bus/nats/open.ts";
import { type NatsCluster, startNatsCluster } from "../bus/nats-cluster.ts";
import { type NatsServer, startNatsServer } from "../bus/nats-server.ts";
import { type Link, openLink } from "./cut-link.ts";
import { type Disk, mountDisk } from "./disk.ts";
import type { Event } from "./outcome.ts";
import { type Process, runPipeline, startPipeline } from "./processes.ts";
import { type Subscriber, subscribeAsProcess, subscribeToBus } from "./subscriber.ts";

export interface Arrangement {
  readonly workers: number;
  readonly nodes: number;
  /** Connections through links that can be cut: all of nodes to workers, or the first node's to nats-server. */
  readonly links?: "workers" | "bus";
  /** Room on the disk of nats-server, for instance `300k`; then it has one of its own, which can be enlarged. */
  readonly serverDisk?: string;
  /** A cluster in place of one server, and everything stored on each of them. */
  readonly servers?: 3;
  /** An experiment whose images cannot be decoded. */
  readonly poison?: string;
  /** Milliseconds that everything on the links takes longer, each way. */
  readonly delayMs?: number;
  /** A worker's time for one request, where the fault is that it takes longer; else it has plenty, on a busy machine as well. */
  readonly deadlineMs?: number;
  /** A clock for the first node that can be set: libfaketime's. */
  readonly clock?: boolean;
}

export interface Scene {
  readonly folder: string;
  /** The only one, or the first of a cluster. */
  readonly server: NatsServer;
  readonly cluster: NatsCluster | undefined;
  readonly serverDisk: Disk | undefined;
  readonly workers: readonly Worker[];
  readonly nodes: readonly Process[];
  readonly links: readonly Link[];
  readonly bus: NatsBusParts;
  /** Events as subscribers see them from the start on, while they come; the first one reads at once. */
  readonly subscribers: readonly Subscriber[];
  subscribe(): Subscriber;
  /** A process that follows the results service at an address. */
  followResults(address: string): Subscriber;
  /**
   * Starts another node, or one again that has ended: its results folder is its name's. It leaves when all is settled; one
   * that serves results stays.
   */
  startNode(name: string, ...options: string[]): Process;
  /** Submits all experiments again. */
  submit(): Promise<unknown>;
  startWorker(listen: string): Promise<Worker>;
  /** What has to be undone in the end. */
  onClose(undo: () => unknown): void;
  /** Resolves when some experiment has been predicted to a third, and returns the node that runs it. */
  midExperiment(): Promise<Process>;
  /** Notes that the fault happens now. */
  strike(): void;
  readonly struckAt: number | undefined;
  /** Resolves when every one of these experiments is done or failed. */
  settled(experiments: readonly string[]): Promise<void>;
  /** All stored events, and the folders with results, each finished. */
  /** Sets the clock of the first node so many seconds away from the true time. */
  setClock(seconds: number): Promise<void>;
  /** `follow`: all events are there, and those who subscribed have seen them. */
  finish(follow?: boolean): Promise<{ readonly events: readonly Event[]; readonly folders: readonly string[] }>;
  close(): Promise<void>;
}

export interface Worker extends Process {
  readonly address: string;
}

/** Seconds of silence after which a node counts as dead. */
const lostAfter = 2;
/** A batch takes a tenth of a second where nothing else runs. */
const plentyMs = 20_000;

/** Debian's package faketime. */
const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const underClock = (file: string): string[] => {
  if (!existsSync(faketime)) throw new Error("a clock that can be set is needed: apt-get install faketime");
  const settings = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", `FAKETIME_TIMESTAMP_FILE=${file}`];
  return ["env", `LD_PRELOAD=${faketime}`, ...settings];
};
const setClock = (file: string, seconds: number): Promise<void> =>
  writeFile(file, `${seconds < 0 ? "" : "+"}${seconds}s\n`);

const startWorker = async (name: string, model: string, listen = "127.0.0.1:0"): Promise<Worker> => {
  const args = ["--model", model, "--provider", "cpu", "--threads", "1", "--listen", listen, "--json"];
  const worker = startPipeline(name, ["worker", ...args]);
  const { address } = await worker.hear(({ type }) => type === "ready");
  return { ...worker, address: address! };
};

/** Starts everything, and the nodes last, with the experiments queued. */
export const openScene = async (
  folder: string,
  { data: whole, model }: { readonly data: string; readonly model: string },
  {
    workers: workerCount,
    nodes: nodeCount,
    links: linked,
    serverDisk,
    servers,
    poison,
    delayMs,
    deadlineMs = plentyMs,
    clock = false,
  }: Arrangement,
): Promise<Scene> => {
  const closing: (() => unknown)[] = [];
  const nodes: Process[] = [];
  let struckAt: number | undefined;
  const close = async () => {
    for (const node of nodes) if (node.running()) await node.kill();
    for (const each of closing.reverse()) await each();
  };
  try {
    await mkdir(folder, { recursive: true });
    const data = poison === undefined ? whole : await poisoned(whole, join(folder, "data"), poison);
    const disk = serverDisk === undefined ? undefined : await mountDisk(join(folder, "nats"), serverDisk);
    closing.push(() => disk?.unmount());
    const cluster = servers === undefined ? undefined : await startNatsCluster(folder);
    const server = cluster?.members[0] ?? (await startNatsServer({ folder: disk?.folder ?? folder }));
    const url = cluster?.url ?? server.url;
    const killServers = () => {
      for (const { pid } of cluster?.members ?? [server]) process.kill(pid, "SIGKILL");
    };
    process.once("exit", killServers);
    closing.push(() => {
      process.off("exit", killServers);
      return (cluster ?? server).close();
    });
    const workers: Worker[] = [];
    closing.push(() => Promise.all(workers.map((worker) => worker.kill())));
    for (let index = 1; index <= workerCount; index++) workers.push(await startWorker(`worker-${index}`, model));
    const targets = { workers: workers.map(({ address }) => address), bus: [server.url.slice("nats://".length)] };
    const links =
      linked === undefined ? [] : await Promise.all(targets[linked].map((target) => openLink(target, delayMs)));
    closing.push(() => Promise.all(links.map((link) => link.close())));
    const addresses = linked === "workers" ? links.map(({ address }) => address) : targets.workers;
    const urlOf = (node: string) => (linked === "bus" && node === "node-1" ? `nats://${links[0]!.address}` : url);

    const bus = await openNats({ url, name: "fault suite", limits: { replicas: servers }, onConnection: () => {} });
    closing.push(() => bus.nc.close());
    const subscribers: Subscriber[] = [];
    closing.push(() => Promise.all(subscribers.map((subscriber) => subscriber.close())));
    const keep = (subscriber: Subscriber) => {
      subscribers.push(subscriber);
      return subscriber;
    };
    const subscribe = () => keep(subscribeToBus(bus));
    subscribe();
    const clockFile = join(folder, "clock");
    if (clock) await setClock(clockFile, 0);
    const submit = () => runPipeline("submit", "--bus", url, "--data", data);
    await submit();

    const scene: Scene = {
      folder,
      server,
      cluster,
      serverDisk: disk,
      workers,
      nodes,
      links,
      bus,
      subscribers,
      subscribe,
      followResults: (address) => keep(subscribeAsProcess(address)),
      submit,
      onClose: (undo) => void closing.push(undo),
      async startWorker(listen) {
        const worker = await startWorker(`worker-${workers.length + 1}`, model, listen);
        workers.push(worker);
        return worker;
      },
      startNode(name, ...options) {
        const stay = options.includes("--results-listen");
        const args = [
          ...["start", "--json", "--bus", urlOf(name), "--node", name, "--data-root", data],
          ...["--out", join(folder, name), "--lost-after", String(lostAfter), ...(stay ? [] : ["--until-empty"])],
          ...["--set", `infer.deadlineMs=${deadlineMs}`, "--set", "infer.images=16"],
          ...addresses.flatMap((address) => ["--worker", address]),
          ...options,
        ];
        const node = startPipeline(name, args, clock && name === "node-1" ? underClock(clockFile) : []);
        nodes.push(node);
        return node;
      },
      midExperiment: () => Promise.race(nodes.map(oneThirdDone)),
      strike() {
        struckAt = Date.now();
      },
      get struckAt() {
        return struckAt;
      },
      setClock: (seconds) => setClock(clockFile, seconds),
      async settled(experiments) {
        const isSettled = async () => {
          const states = new Map((await bus.records.all()).map(({ id, state }) => [id, state]));
          return experiments.every((each) => states.get(each) === "done" || states.get(each) === "failed");
        };
        while (!(await isSettled())) await sleep(200);
      },
      async finish(follow = true) {
        // Who was killed is started again, and puts together what it had: nothing is left on the queue.
        const names = [...new Set(nodes.map(({ name }) => name))];
        for (const name of names) {
          const codes = await Promise.all(nodes.filter((node) => node.name === name).map(({ ended }) => ended));
          if (codes.includes(0) || codes.includes(1)) continue;
          const code = await scene.startNode(name).ended;
          if (code !== 0) throw new Error(`${name} ended with ${code}: ${nodes.at(-1)!.complaints.join(" | ")}`);
        }
        const folders = names.map((name) => join(folder, name));
        if (!follow) return { events: [], folders };
        const last = await natsEvents(bus).last();
        await Promise.all(subscribers.map((each) => each.until((seen) => seen.at(-1)?.seq === last)));
        const again = subscribe();
        await again.until((seen) => seen.at(-1)?.seq === last);
        const events = again.seen;
        return { events, folders };
      },
      close,
    };
    for (let index = 1; index <= nodeCount; index++) scene.startNode(`node-${index}`);
    return scene;
  } catch (error) {
    await close();
    throw error;
  }
};

/** A copy of the dataset in which every image file of one experiment ends after a few bytes. */
const poisoned = async (data: string, copy: string, experiment: string): Promise<string> => {
  await cp(data, copy, { recursive: true });
  for (const name of await readdir(join(copy, "images", experiment), { recursive: true })) {
    if (name.endsWith(".png")) await truncate(join(copy, "images", experiment, name), 40);
  }
  return copy;
};

const oneThirdDone = async (node: Process): Promise<Process> => {
  const sites = new Map<string, number>();
  await node.hear(({ type, experiment = "", plates = [] }) => {
    if (type === "experiment-running") {
      sites.set(experiment, Math.ceil(plates.reduce((sum, plate) => sum + plate.sites, 0) / 3));
    }
    if (type !== "site-done") return false;
    sites.set(experiment, sites.get(experiment)! - 1);
    return sites.get(experiment) === 0;
  });
  return node;
};
