/** Plugins that misbehave: whatever they do, the run says who it was, and can be ended. */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, hung, refused, unclear } from "../verdict.ts";

const stage = (apply: string, port = "site-image", top = ""): string => `
import { defineStage, z } from "platestream/plugin";
import { map, mergeMap, NEVER, tap, throwError, timer } from "rxjs";
${top}
export default defineStage({
  name: "mine",
  description: "misbehaves",
  input: "${port}",
  output: "${port}",
  config: z.strictObject({}),
  apply: (options, context) => ${apply},
});
`;

const write = async (scene: Scene, text: string, after = "decode"): Promise<readonly string[]> => {
  await writeFile(scene.path("mine.js"), text);
  const chain = ["decode", "normalize", "batch-by-experiment", "infer", "aggregate-sites", "plate-assign"];
  const stages = chain.flatMap((each) => (each === after ? [each, "./mine.js"] : [each]));
  await writeFile(scene.path("run.yaml"), JSON.stringify({ stages }));
  return ["--config", scene.path("run.yaml")];
};

const plugin = (input: string, before: string, text: string, names: readonly RegExp[], after?: string): Attack => ({
  input,
  before,
  run: async (scene) => refused(await scene.start(await write(scene, text, after), { limitSeconds: 60 }), ...names),
});

const who = [/mine/];

export const plugins: Door = {
  name: "plugins",
  attacks: [
    {
      input: "an endless loop, then SIGINT three times",
      before: "all three are ignored; only kill -9 ends it",
      async run(scene) {
        const options = await write(scene, stage('tap(() => { process.stderr.write("looping\\n"); for (;;); })'));
        const { address } = await scene.sharedWorker();
        const run = ["start", "--data", scene.data, "--worker", address, "--out", scene.path("out"), "--json"];
        const node = scene.process("node", [...run, ...options]);
        while (node.running() && !node.complaints.includes("looping")) await sleep(100);
        for (let signal = 0; signal < 3; signal++) {
          await sleep(1_000);
          node.signal("SIGINT");
        }
        await Promise.race([node.ended, sleep(15_000)]);
        if (node.running()) return hung("15 s after the third SIGINT it still runs");
        const code = await node.ended;
        return code === null || code === 130
          ? clear(`the third ended it (${code ?? "by a signal"})`)
          : unclear(`ended with ${code}`);
      },
    },
    {
      input: "never ends at import",
      before: "hung without a word",
      async run(scene) {
        const options = await write(
          scene,
          stage("map((x) => x)", "site-image", "await new Promise((r) => setTimeout(r, 1e9));"),
        );
        const { address } = await scene.sharedWorker();
        const run = ["start", "--data", scene.data, "--worker", address, "--out", scene.path("out"), "--json"];
        const node = scene.process("node", [...run, ...options]);
        const patience = scene.patience(40);
        const said = () => node.complaints.find((line) => line.includes("mine.js"));
        for (let over = false; !over && node.running() && said() === undefined; )
          over = await Promise.race([patience.then(() => true), sleep(100, false)]);
        const words = said();
        return words === undefined ? hung("no word of it") : clear(words);
      },
    },
    plugin("throws at import", "refused", stage("map((x) => x)", "site-image", 'throw new Error("no");'), who),
    plugin("exports no stage", "refused", "export default 5;", who),
    plugin("is not JavaScript", "refused", "export default {", who),
    plugin("apply throws", "refused", stage('{ throw new Error("no"); }'), who),
    plugin("apply gives no operator", "blamed on the next stage", stage("5"), who),
    plugin("throws null", "refused", stage("map(() => { throw null; })"), who),
    plugin(
      "throws outside of the stream",
      "refused",
      stage('tap(() => setTimeout(() => { throw new Error("late"); }))'),
      who,
    ),
    plugin("gives a text instead of an image", "blamed on the next stage", stage('map(() => "text")'), who),
    plugin("gives undefined", "blamed on the next stage", stage("map(() => undefined)"), who),
    plugin("gives an image without a site", "blamed on the next stage", stage("map(({ site, ...rest }) => rest)"), who),
    plugin(
      "gives a prediction without logits",
      "blamed on the next stage",
      stage("map(({ logits, ...rest }) => rest)", "site-prediction"),
      who,
      "infer",
    ),
    plugin(
      "gives a call without a well",
      "blamed on the results",
      stage("map(({ prediction: { well, ...rest }, ...call }) => ({ ...call, prediction: rest }))", "call"),
      who,
      "plate-assign",
    ),
    plugin("exits the process", "ended without a word, with its exit code", stage("tap(() => process.exit(0))"), who),
  ],
};
