/** What is on nats-server disappears or is damaged, under those who work with it. */
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NatsServer } from "../../bus/nats-server.ts";
import type { Process } from "../../faults/processes.ts";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, hung, refused, unclear, type Verdict } from "../verdict.ts";

interface Busy {
  readonly server: NatsServer;
  readonly node: Process;
  startNode(name: string): Promise<Process>;
  /** Asks JetStream's API over a plain connection. */
  api(subject: string): Promise<unknown>;
}

/** A server with the data queued, and a node in the middle of the first experiment. */
const openBusy = async (scene: Scene): Promise<Busy> => {
  const server = await scene.nats();
  const { address } = await scene.sharedWorker();
  const submitted = await scene.pipeline(["submit", "--bus", server.url, "--data", scene.data]);
  if (submitted.code !== 0) throw new Error(submitted.err);
  const startNode = async (name: string) => {
    const options = ["--bus", server.url, "--node", name, "--data-root", scene.data, "--out", scene.path(name)];
    const own = ["--worker", address, "--until-empty", "--lost-after", "2", "--json"];
    return scene.process(name, ["start", ...options, ...own]);
  };
  const node = await startNode("node-1");
  await node.hear(({ type }) => type === "site-done");
  return {
    server,
    node,
    startNode,
    async api(subject) {
      const { connect } = await import("@nats-io/transport-node");
      const nc = await connect({ servers: server.url.slice("nats://".length) });
      try {
        return (await nc.request(`$JS.API.${subject}`, "", { timeout: 5_000 })).json();
      } finally {
        await nc.close();
      }
    },
  };
};

const eventCalls = async (scene: Scene, { url }: NatsServer): Promise<{ calls: number; said: string }> => {
  const ended = await scene.pipeline(["results", "--bus", url, "--from", "start", "--kind", "call", "--json"]);
  if (ended.code !== 0) return { calls: 0, said: ended.err.slice(-300) };
  const wells = new Set(
    ended.out
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map(wellOf),
  );
  return { calls: wells.size, said: ended.err.slice(-300) };
};

const wellOf = (line: string): string => {
  const { experiment, plate, well } = JSON.parse(line) as Record<string, string>;
  return `${experiment} ${plate} ${well}`;
};

/** The node must come to its end by itself, with all calls. */
const finishes = async (scene: Scene, node: Process, folder: string): Promise<Verdict> => {
  await Promise.race([node.ended, scene.patience(90)]);
  if (node.running()) return hung(`the node is not over in time; ${node.complaints.at(-1) ?? ""}`);
  const code = await node.ended;
  if (code !== 0) return unclear(`the node ended with ${code}: ${node.complaints.slice(-2).join(" ")}`);
  const calls = await readFile(join(scene.path(folder), "calls.csv"), "utf8");
  return calls === scene.calls
    ? clear("went on, with all calls")
    : unclear("the node ended with 0, and calls are missing");
};

const deleted = (input: string, subject: string): Attack => ({
  input,
  before: "the node hangs for ever",
  limitSeconds: 180,
  async run(scene) {
    const busy = await openBusy(scene);
    await busy.api(subject);
    return finishes(scene, busy.node, "node-1");
  },
});

/** Files of a stream's blocks in the server's store. */
const blocksOf = async (scene: Scene, stream: string): Promise<string[]> => {
  const all = await readdir(scene.folder, { recursive: true });
  return all
    .filter((path) => path.includes(`/${stream}/msgs/`) && path.endsWith(".blk"))
    .map((path) => scene.path(path));
};

/** After both experiments are done, something happens to the stopped server's store. */
const damagedStore = (input: string, before: string, damage: (scene: Scene) => Promise<unknown>): Attack => ({
  input,
  before,
  limitSeconds: 220,
  async run(scene) {
    const { server, node, startNode } = await openBusy(scene);
    await Promise.race([node.ended, scene.patience(60)]);
    await server.kill();
    await damage(scene);
    await server.restart();
    const again = await startNode("node-1");
    await Promise.race([again.ended, scene.patience(60)]);
    const { calls, said } = await eventCalls(scene, server);
    const words = [...again.complaints, said, await status(scene, server)].join(" ");
    if (calls === scene.wells) return clear(`all ${calls} calls are published again`);
    const named = /repair|lost|damaged|missing|older copy|rolled back/i.exec(words);
    return named === null
      ? unclear(`${calls} of ${scene.wells} calls are served, and no word of it; ${words.slice(-200)}`)
      : clear(
          `${calls} of ${scene.wells} calls are served, and it says so: …${words.slice(Math.max(0, named.index - 100), named.index + 200)}`,
        );
  },
});

const status = async (scene: Scene, { url }: NatsServer): Promise<string> => {
  const { out, err } = await scene.pipeline(["status", "--bus", url]);
  return out + err;
};

export const bus: Door = {
  name: "bus",
  attacks: [
    deleted("the consumer is deleted while a node works", "CONSUMER.DELETE.platestream-experiments.cell-HUVEC"),
    deleted("the queue's stream is deleted while a node works", "STREAM.DELETE.platestream-experiments"),
    deleted("the events' stream is deleted while a node works", "STREAM.DELETE.platestream-events"),
    {
      input: "the events' stream is deleted under results --follow",
      before: "[internal] and a stack",
      limitSeconds: 120,
      async run(scene) {
        const busy = await openBusy(scene);
        const follower = scene.process("follower", [
          "results",
          "--bus",
          busy.server.url,
          "--follow",
          ...["--from", "start", "--json"],
        ]);
        await follower.hear(() => true);
        await busy.api("STREAM.DELETE.platestream-events");
        await Promise.race([follower.ended, scene.patience(30)]);
        const words = follower.complaints.join(" ").slice(0, 400);
        if (/\[internal\]|^\s+at /m.test(words)) return unclear(words);
        if (follower.running()) return words === "" ? hung("it follows nothing, without a word") : clear(words);
        return /\[[a-z-]+\]/.test(words) ? clear(words) : unclear(`ended: ${words}`);
      },
    },
    damagedStore(
      "an older copy of the store is put back",
      "180 and 240 of 480 calls missing, all are done",
      async (scene) => {
        for (const block of await blocksOf(scene, "platestream-events")) {
          const bytes = await readFile(block);
          await writeFile(block, bytes.subarray(0, Math.floor(bytes.length / 3)));
        }
      },
    ),
    damagedStore(
      "bits of an events block are flipped",
      "0 events are served although 287 are claimed",
      async (scene) => {
        for (const block of await blocksOf(scene, "platestream-events")) {
          const bytes = await readFile(block);
          for (let at = 200; at < bytes.length; at += 997) bytes[at]! ^= 0x40;
          await writeFile(block, bytes);
        }
      },
    ),
    damagedStore("the events' stream is gone from the disk", "0 events are served, all are done", async (scene) => {
      const [block] = await blocksOf(scene, "platestream-events");
      await rm(join(block!, "../.."), { recursive: true });
    }),
    {
      input: "the queue's block is emptied, and more is submitted",
      before: "new experiments are stuck below the consumer's position",
      limitSeconds: 220,
      async run(scene) {
        const { server, node } = await openBusy(scene);
        await Promise.race([node.ended, scene.patience(60)]);
        await server.kill();
        for (const block of await blocksOf(scene, "platestream-experiments")) await writeFile(block, "");
        await server.restart();
        const data = scene.path("others");
        await cp(scene.data, data, { recursive: true });
        await scene.shell(
          `cd ${data} && mv images/HUVEC-01 images/HUVEC-07 && mv images/HUVEC-02 images/HUVEC-08 && ` +
            "sed -i s/HUVEC-01/HUVEC-07/g\\;s/HUVEC-02/HUVEC-08/g metadata.csv",
        );
        const submitted = await scene.pipeline(["submit", "--bus", server.url, "--data", data]);
        if (submitted.code !== 0) return refused(submitted);
        const { address } = await scene.sharedWorker();
        const options = ["--bus", server.url, "--node", "node-2", "--data-root", data, "--out", scene.path("node-2")];
        const other = scene.process("node-2", ["start", ...options, "--worker", address, "--until-empty", "--json"]);
        await Promise.race([other.ended, scene.patience(60)]);
        const done = other.said.filter(({ type }) => type === "experiment-done").length;
        if (done === 2) return clear("both of the new ones are called");
        return unclear(`${done} of 2 new experiments are called; ${(await status(scene, server)).slice(-300)}`);
      },
    },
  ],
};
