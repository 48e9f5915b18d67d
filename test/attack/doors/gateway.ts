/** `pipeline gateway`: clients name folders, which it reads. */
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Process } from "../../faults/processes.ts";
import type { Door } from "../attack.ts";
import { residentMiB } from "../ended.ts";
import type { Scene } from "../scene.ts";
import { clear, hung, refused, unclear, type Verdict } from "../verdict.ts";
import { writeLongTable } from "./tables.ts";

const open = async (scene: Scene): Promise<{ gateway: Process; address: string }> => {
  const { url } = await scene.nats();
  const options = ["--bus", url, "--data-root", scene.folder, "--listen", "127.0.0.1:0", "--json"];
  const gateway = scene.process("gateway", ["gateway", ...options]);
  const { address } = await gateway.hear(({ type }) => type === "ready");
  return { gateway, address: address! };
};

const submit = (scene: Scene, address: string, data: string, limitSeconds = 40) =>
  scene.pipeline(["submit", "--gateway", address, "--data", data], { limitSeconds });

/** Milliseconds until the health service answers. */
const healthAnswers = async (scene: Scene, address: string): Promise<number> => {
  const started = Date.now();
  const { status } = await scene.client(address, 30_000).raw("/grpc.health.v1.Health/Check", Buffer.alloc(0));
  return status === "OK" ? Date.now() - started : Number.POSITIVE_INFINITY;
};

const special = (input: string, make: string, file: RegExp) => ({
  input: `a dataset whose table is ${input}`,
  before: "blocked for ever: health says SERVING, SIGTERM is ignored",
  run: async (scene: Scene): Promise<Verdict> => {
    const { gateway, address } = await open(scene);
    await mkdir(scene.path("set"));
    await scene.shell(`${make} ${scene.path("set", "load_data.csv")}`);
    const verdict = refused(await submit(scene, address, scene.path("set")), file);
    if (verdict.kind !== "clear") return verdict;
    gateway.signal("SIGTERM");
    await Promise.race([gateway.ended, sleep(15_000)]);
    return gateway.running() ? hung("SIGTERM is ignored for 15 s") : verdict;
  },
});

export const gateway: Door = {
  name: "gateway",
  attacks: [
    special("a FIFO", "mkfifo", /load_data\.csv/),
    special("a link to /dev/zero", "ln -s /dev/zero", /data roots|load_data\.csv/),
    {
      input: "12 submissions of a table of 200,000 rows at once",
      before: "health answered after 39 s; with 45 it was frozen, at 3.3 GB",
      limitSeconds: 200,
      async run(scene) {
        const { gateway: process, address } = await open(scene);
        await writeLongTable(scene.path("long"));
        const all = Promise.all(Array.from({ length: 12 }, () => submit(scene, address, scene.path("long"), 150)));
        let slowest = 0;
        let over = false;
        void all.then(() => {
          over = true;
        });
        while (!over && process.running()) {
          slowest = Math.max(slowest, await healthAnswers(scene, address));
          await sleep(500);
        }
        const [answer] = await all;
        const cost = `health answered within ${(slowest / 1000).toFixed(1)} s, ${residentMiB(process.pid).toFixed(0)} MiB`;
        if (slowest > 10_000) return unclear(cost);
        if (residentMiB(process.pid) > 1_200) return unclear(cost);
        return answer!.code === 0 ? clear(cost) : unclear(`${cost}; ${answer!.err.slice(-200)}`);
      },
    },
    {
      input: "a folder outside of its roots, through a link",
      before: "refused",
      async run(scene) {
        const { address } = await open(scene);
        await scene.run("ln", ["-s", "/etc", scene.path("etc")]);
        return refused(await submit(scene, address, scene.path("etc")), /data roots/);
      },
    },
  ],
};
