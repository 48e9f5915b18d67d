/** Subscribers to results: sequence numbers, and ends. */
import { writeFile } from "node:fs/promises";
import { freePort } from "../../bus/nats-server.ts";
import { openLink } from "../../faults/cut-link.ts";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, hung, refused, unclear, type Verdict } from "../verdict.ts";

const from = (number: string, before: string): Attack => ({
  input: `results --run --from ${number}`,
  before,
  async run(scene) {
    const out = await scene.copyResults(scene.path("out"));
    const ended = await scene.pipeline(["results", "--run", out, "--from", number], { limitSeconds: 40 });
    return refused(ended, /--from|number|last/);
  },
});

const numbersOf = async (scene: Scene, out: string): Promise<number[]> => {
  const ended = await scene.pipeline(["results", "--run", out, "--from", "start", "--json"]);
  if (ended.code !== 0) throw new Error(ended.err);
  return ended.out
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { seq: number }).seq);
};

export const subscriptions: Door = {
  name: "subscriptions",
  attacks: [
    from("9007199254740993", "rounded, and no event"),
    from("99999", "no event, exit code 0"),
    from("-1", "refused"),
    from("1.5", "refused"),
    {
      input: "sequence numbers after start --fresh",
      before: "from 1 again: who goes on after the last one misses all",
      async run(scene) {
        const out = await scene.copyResults(scene.path("out"));
        const old = await numbersOf(scene, out);
        const ended = await scene.start(["--fresh"], { limitSeconds: 80 });
        if (ended.code !== 0) return unclear(ended.err);
        const numbers = await numbersOf(scene, out);
        const again = numbers.filter((each) => old.includes(each)).length;
        return again > 0 ? unclear(`${again} numbers are used again`) : clear(`they go on at ${numbers[0]}`);
      },
    },
    {
      input: "a run that ends while a follower's connection is cut",
      before: "UNAVAILABLE for ever: it follows nothing, without an end",
      limitSeconds: 180,
      run: (scene) => endUnseen(scene),
    },
    {
      input: "1,000 watches of the health service, by one client over 40 connections",
      before: "all taken, without a limit",
      async run(scene) {
        const { address } = await scene.sharedWorker();
        const clients = Array.from({ length: 40 }, () => scene.client(address));
        const watches = clients.flatMap((client) =>
          Array.from({ length: 25 }, () => client.watch("/grpc.health.v1.Health/Watch", 15_000 * scene.slowness)),
        );
        const statuses = await Promise.all(watches);
        const refusals = statuses.filter((status) => status === "RESOURCE_EXHAUSTED").length;
        const { status } = await scene.client(address).listModels();
        if (status !== "OK") return unclear(`nobody else is served: ${status}`);
        return refusals >= 900 ? clear(`${refusals} are refused`) : unclear(`${refusals} are refused`);
      },
    },
  ],
};

/** Half a second for each image, so that there is time to cut a connection. */
const slow = `
import { defineStage, z } from "platestream/plugin";
import { concatMap, delay, of } from "rxjs";
export default defineStage({
  name: "slow",
  description: "takes its time",
  input: "site-image",
  output: "site-image",
  config: z.strictObject({}),
  apply: () => concatMap((image) => of(image).pipe(delay(500))),
});
`;

const endUnseen = async (scene: Scene): Promise<Verdict> => {
  const { address } = await scene.sharedWorker();
  const listen = `127.0.0.1:${await freePort()}`;
  await writeFile(scene.path("slow.js"), slow);
  const stages = [
    "decode",
    "./slow.js",
    "normalize",
    "batch-by-experiment",
    "infer",
    "aggregate-sites",
    "plate-assign",
  ];
  await writeFile(scene.path("run.yaml"), JSON.stringify({ stages }));
  const options = ["--config", scene.path("run.yaml"), "--out", scene.path("out"), "--json"];
  const args = ["start", "--data", scene.data, "--worker", address, ...options];
  const run = scene.process("run", [...args, "--results-listen", listen]);
  await run.hear(({ type }) => type === "run-started");
  const link = await openLink(listen);
  scene.onClose(link.close);
  const follower = scene.process("follower", [
    ...["results", "--server", link.address, "--follow", "--from", "start", "--json"],
  ]);
  await follower.hear(() => true);
  link.cut();
  await run.ended;
  link.mend();
  await Promise.race([follower.ended, scene.patience(60)]);
  if (follower.running()) return hung(`long after the run's end it still follows; ${follower.complaints.at(-1) ?? ""}`);
  const code = await follower.ended;
  const words = follower.complaints.join(" ").slice(-300);
  if (/\[internal\]/.test(words)) return unclear(words);
  return code !== null ? clear(`ended with ${code}: ${words}`) : unclear("ended by a signal");
};
