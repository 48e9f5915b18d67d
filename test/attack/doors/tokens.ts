/** A file of tokens that changes while a server reads it. */
import { rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attack, Door } from "../attack.ts";
import { clear, unclear } from "../verdict.ts";

const changed = (input: string, before: string, change: (path: string) => Promise<unknown>): Attack => ({
  input: `the file is ${input} while the worker runs`,
  before,
  async run(scene) {
    const made = await scene.pipeline(["token", "new", "--name", "lab", "--role", "predict"]);
    const token = /platestream_[\w-]+/.exec(made.out + made.err)![0];
    const entry = /^- .*$/m.exec(made.out + made.err)![0];
    const path = scene.path("tokens.yaml");
    await writeFile(path, `${entry}\n`);
    const worker = await scene.worker(["--model", scene.model, "--tokens", path]);
    const client = scene.client(worker.address);
    const ask = () => client.listModels({ authorization: `Bearer ${token}` });
    const first = await ask();
    if (first.status !== "OK") return unclear(`the token does not open: ${first.message}`);
    const said = worker.complaints.length;
    await change(path);
    await sleep(6_000);
    const { status } = await ask();
    const words = worker.complaints.slice(said).find((line) => /tokens\.yaml/.test(line));
    if (status === "OK")
      return words === undefined ? unclear("still opens, and no word of it") : clear(words.slice(0, 300));
    return clear("opens no more");
  },
});

const silent = "the tokens go on to open, without a word";

export const tokens: Door = {
  name: "tokens",
  attacks: [
    changed("emptied", silent, (path) => writeFile(path, "")),
    changed("deleted", silent, (path) => rm(path)),
    changed("damaged", "the tokens go on to open, and it is reported", (path) => writeFile(path, "- [")),
    changed("without any token", silent, (path) => writeFile(path, "[]\n")),
  ],
};
