/** Passwords and tokens: in no error, no log, and no list of processes but where the user put them. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attack, Door } from "../attack.ts";
import type { Ended } from "../ended.ts";
import { clear, refused, unclear } from "../verdict.ts";

const secret = "s3cr3t";

const silent = (ended: Ended) => (ended.err + ended.out).includes(secret);

const url = (text: string, before: string): Attack => ({
  input: `status --bus ${text.replaceAll(secret, "PASSWORD")}`,
  before,
  async run(scene) {
    const ended = await scene.pipeline(["status", "--bus", text], { limitSeconds: 40 });
    return silent(ended) ? unclear("the password is printed") : refused(ended);
  },
});

const printed = "printed with the password";
const kept = "refused, without the password";

/** Secrets that were put into the wrong file, which is then refused. */
const file = (input: string, text: string, args: (path: string, model: string) => readonly string[]): Attack => ({
  input,
  before: kept,
  async run(scene) {
    await writeFile(scene.path("wrong"), text);
    const ended = await scene.pipeline(args(scene.path("wrong"), scene.model), { limitSeconds: 40 });
    return silent(ended) ? unclear("the secret is printed") : refused(ended, /wrong/);
  },
});

export const secrets: Door = {
  name: "secrets",
  attacks: [
    url(`nats://user:a/${secret}@127.0.0.1:1`, printed),
    url(`user:${secret}@127.0.0.1:1`, printed),
    url(`nats:user:${secret}@127.0.0.1:1`, printed),
    url(`nats://user:${secret}@127.0.0.1:1/a/b/c`, kept),
    url(`nats://user:${secret}@@127.0.0.1:1`, kept),
    url(`nats://${secret}@127.0.0.1:1`, kept),
    url(`nats://user:${secret}@no-such-host.invalid:4222`, kept),
    url(`nats://user:%zz${secret}@127.0.0.1:1`, "[internal] URI malformed"),
    url(`tls://user:${secret}@127.0.0.1:1`, kept),
    file("worker --tokens: a file with a token in it", `tokens: platestream_${secret}\n`, (path, model) => [
      ...["worker", "--model", model, "--tokens", path],
    ]),
    file("status --bus-creds: YAML with a wrong key", `user: a\npasswort: ${secret}\n`, (path) => [
      ...["status", "--bus", "nats://127.0.0.1:1", "--bus-creds", path],
    ]),
    {
      input: "start --model with a token in the environment: the list of processes",
      before: kept,
      async run(scene) {
        const env = ["env", `PLATESTREAM_TOKEN=platestream_${secret}`];
        const args = ["start", "--data", scene.data, "--model", scene.model, "--out", scene.path("out"), "--json"];
        const node = scene.process("node", args, env);
        const seen = new Set<string>();
        while (node.running() && !node.said.some(({ type }) => type === "experiment-running")) {
          for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
            const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
            if (line.includes(scene.folder) || line.includes("worker")) seen.add(line);
          }
          await sleep(100);
        }
        const shown = [...seen].filter((line) => line.includes(secret) && !line.startsWith("env"));
        return shown.length === 0
          ? clear(`in none of ${seen.size} command lines`)
          : unclear(shown[0]!.replaceAll("\0", " "));
      },
    },
  ],
};
