/** Two processes on one folder, above all just after one of them was killed. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, refused, unclear, type Verdict } from "../verdict.ts";

/** Most holders at any one time, of processes that all try at the same moment. */
const race = (input: string, before: string, prepare: (folder: string) => Promise<unknown>): Attack => ({
  input: `50 processes at once: ${input}`,
  before,
  limitSeconds: 150,
  async run(scene) {
    const folder = scene.path("locked");
    await mkdir(folder);
    await prepare(folder);
    const script = new URL("../lock-holder.js", import.meta.url).pathname;
    const at = Date.now() + 12_000;
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        scene.run(process.execPath, [script, folder, String(at)], { limitSeconds: 100 }),
      ),
    );
    const holders = all.flatMap(({ out }) => {
      const held = JSON.parse(out || "null") as { from: number; to: number } | null;
      return held === null ? [] : [held];
    });
    const together = Math.max(
      0,
      ...holders.map(({ from }) => holders.filter((other) => other.from <= from && from < other.to).length),
    );
    if (together > 1) return unclear(`${together} held it at the same time`);
    return holders.length > 0 ? clear("one at a time held it") : unclear("nobody got it");
  },
});

const dead = JSON.stringify({ pid: 2 ** 22 - 7, host: hostname(), since: 0 });

export const locks: Door = {
  name: "locks",
  attacks: [
    race("a folder without a lock", "one at a time", async () => undefined),
    race("a lock that a dead process left", "10 to 17 of them held it", (folder) =>
      writeFile(join(folder, "run.lock"), dead),
    ),
    race("an empty lock", "10 to 17 of them held it", (folder) => writeFile(join(folder, "run.lock"), "")),
    {
      input: "kill -9 of a run, then two starts at the same moment",
      before: "both got the folder: calls doubled, experiments failed",
      limitSeconds: 150,
      run: (scene) => twoStarts(scene),
    },
    {
      input: "train twice into the same folder",
      before: "both trained, and overwrote each other's checkpoints",
      limitSeconds: 150,
      async run(scene) {
        const args = ["train", "--data", scene.data, "--recipe", "demo", "--out", scene.path("out")];
        const first = scene.process("first", args);
        const lockedBy = async () => (await readdir(scene.path("out")).catch(() => [])).length > 0;
        for (let tries = 0; tries < 300 && first.running() && !(await lockedBy()); tries++) await sleep(100);
        const second = await scene.pipeline(args, { limitSeconds: 60 });
        if (!first.running()) return unclear(`the first ended: ${first.complaints.slice(-2).join(" ")}`);
        return second.late ? unclear("both train") : refused(second, /only one|another|process/);
      },
    },
  ],
};

const twoStarts = async (scene: Scene): Promise<Verdict> => {
  const { address } = await scene.sharedWorker();
  const args = ["start", "--data", scene.data, "--worker", address, "--out", scene.path("out"), "--json"];
  const first = scene.process("killed", args);
  await first.hear(({ type }) => type === "experiment-running");
  await first.kill();
  const both = await Promise.all([1, 2].map(() => scene.pipeline(args, { limitSeconds: 100 })));
  const won = both.filter(({ code }) => code === 0);
  if (won.length === 0) return unclear(both.map(({ err }) => err.slice(-200)).join(" | "));
  if (won.length === 2) {
    const { startedAt } = JSON.parse(await readFile(scene.path("out", "run.json"), "utf8")) as { startedAt: string };
    const late = both.every(({ out }) => out.includes("experiment-running"));
    return late ? unclear(`both ran experiments (${startedAt})`) : clear("one ran, the other came after it");
  }
  const calls = await readFile(scene.path("out", "calls.csv"), "utf8");
  if (calls !== scene.calls) return unclear("the calls are not those of an undisturbed run");
  return refused(both.find(({ code }) => code !== 0)!, /only one|process/);
};
