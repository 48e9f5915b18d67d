/** Clocks that jump. */
import { readFile, writeFile } from "node:fs/promises";
import type { Attack, Door } from "../attack.ts";
import { clear, hung, unclear } from "../verdict.ts";

/** The clock of the process jumps while it waits to try an experiment again. */
const jump = (input: string, hours: number, before: string): Attack => ({
  input,
  before,
  async run(scene) {
    await writeFile(scene.path("jump.js"), plugin(hours));
    const chain = [
      "decode",
      "./jump.js",
      "normalize",
      "batch-by-experiment",
      "infer",
      "aggregate-sites",
      "plate-assign",
    ];
    await writeFile(scene.path("run.yaml"), JSON.stringify({ stages: chain }));
    const ended = await scene.start(["--config", scene.path("run.yaml")], { limitSeconds: 75 });
    if (ended.late) return hung("no progress in 75 s, where the wait is 2 s");
    if (ended.code !== 0) return unclear(ended.err.slice(-300));
    const calls = await readFile(scene.path("out", "calls.csv"), "utf8");
    return calls === scene.calls ? clear("tried again in time") : unclear("other calls than undisturbed");
  },
});

const plugin = (hours: number): string => `
import { defineStage, z } from "platestream/plugin";
import { map } from "rxjs";
let failed = false;
export default defineStage({
  name: "jump",
  description: "sets the clock",
  input: "site-image",
  output: "site-image",
  config: z.strictObject({}),
  apply: () => map((image) => {
    if (failed) return image;
    failed = true;
    const now = Date.now;
    setTimeout(() => { Date.now = () => now() + ${hours} * 3_600_000; }, 200);
    throw new Error("the first image fails");
  }),
});
`;

export const clock: Door = {
  name: "clock",
  attacks: [
    jump("two hours back, during the wait for another attempt", -2, "no progress for two hours"),
    jump("two hours forward, during the wait for another attempt", 2, "tried again at once"),
  ],
};
