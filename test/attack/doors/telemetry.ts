/** Nobody is called, and nothing is written but where it was asked for. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, unclear, type Verdict } from "../verdict.ts";

const watched = async (scene: Scene, args: readonly string[], over: RegExp): Promise<Verdict> => {
  const [home, temporary, trace] = [scene.path("home"), scene.path("tmp"), scene.path("trace")];
  await Promise.all([mkdir(home), mkdir(temporary)]);
  const env = [`HOME=${home}`, `XDG_CACHE_HOME=${home}/.cache`, `TMPDIR=${temporary}`];
  const strace = ["strace", "--seccomp-bpf", "-f", "-qq", "-e", "trace=connect,sendto", "-o", trace];
  const child = scene.process("watched", args, ["env", ...env, ...strace]);
  while (child.running() && !child.said.some(({ type }) => over.test(type))) await sleep(200);
  await sleep(3_000);
  child.signal("SIGTERM"); // strace hands it on; killed, it would leave the program behind
  await Promise.race([child.ended, sleep(10_000)]);
  const files = (await readdir(home, { recursive: true })).concat(await readdir(temporary, { recursive: true }));
  if (files.length > 0) return unclear(`wrote ${files.slice(0, 4).join(", ")}`);
  const calls = (await readFile(trace, "utf8")).split("\n").filter((line) => /htons\(53\)|nscd|resolve/.test(line));
  if (!child.said.some(({ type }) => over.test(type)))
    return unclear(`did not start: ${child.complaints.slice(-2).join(" ")}`);
  return calls.length > 0 ? unclear(`looks up names: ${calls[0]}`) : clear("no file, and no look-up");
};

export const telemetry: Door = {
  name: "telemetry",
  attacks: [
    {
      input: "a worker's start: files in the home and temporary folders, look-ups of names",
      before: "thousands of events under ~/.cache/Microsoft, look-ups, a log in the temporary folder",
      run: (scene) =>
        watched(
          scene,
          ["worker", "--model", scene.model, "--provider", "cpu", "--listen", "127.0.0.1:0", "--json"],
          /ready/,
        ),
    },
    {
      input: "a run with a worker of its own",
      before: "the same",
      run: (scene) =>
        watched(
          scene,
          ["start", "--data", scene.data, "--model", scene.model, "--out", scene.path("out"), "--json"],
          /summary/,
        ),
    },
  ],
};
