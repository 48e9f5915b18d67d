/** Paths on the command line that are not ordinary files or folders, and processes with too few descriptors. */
import { writeFile } from "node:fs/promises";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { refused, served } from "../verdict.ts";
import { fifoAt } from "./bundles.ts";

/** A command with a FIFO in it, which nobody ever writes to. */
const fifo = (
  input: string,
  command: (fifo: string, scene: Scene) => readonly string[] | Promise<readonly string[]>,
): Attack => ({
  input: `${input}: a FIFO`,
  before: "hung without a word",
  async run(scene) {
    const path = await fifoAt(scene, "pipe");
    return refused(await scene.pipeline(await command(path, scene), { limitSeconds: 30 }), /pipe\b/);
  },
});

const out = (input: string, before: string, path: (scene: Scene) => string | Promise<string>): Attack => ({
  input: `start --out: ${input}`,
  before,
  async run(scene) {
    const [folder, { address }] = [await path(scene), await scene.sharedWorker()];
    const args = ["start", "--data", scene.data, "--worker", address, "--out", folder];
    return refused(await scene.pipeline(args, { limitSeconds: 40 }), /out|\/proc|\/dev|loop|file|no space/);
  },
});

const few = (descriptors: number): Attack => ({
  input: `start with ulimit -n ${descriptors}`,
  before: "[internal] EMFILE and a stack",
  async run(scene) {
    const { address } = await scene.sharedWorker();
    const args = `--data ${scene.data} --worker ${address} --out ${scene.path("out")} --json`;
    const ended = await scene.shell(`ulimit -n ${descriptors}; exec $PIPELINE start ${args}`);
    return ended.code === 0 ? served(ended) : refused(ended, /descriptor|open files|ulimit/);
  },
});

export const files: Door = {
  name: "files",
  attacks: [
    fifo("start --config", (path) => ["start", "--config", path]),
    fifo("worker --tokens", (path, { model }) => ["worker", "--model", model, "--tokens", path]),
    fifo("results --token-file", (path) => ["results", "--server", "127.0.0.1:1", "--token-file", path]),
    fifo("status --bus-creds", (path) => ["status", "--bus", "nats://127.0.0.1:1", "--bus-creds", path]),
    fifo("worker --tls-cert", (path, { model }) => ["worker", "--model", model, "--tls-cert", path, "--tls-key", path]),
    fifo("train --recipe", (path, { data, path: at }) => ["train", "--data", data, "--recipe", path, "--out", at("t")]),
    {
      input: "start --config: a link to /dev/zero",
      before: "died of a lack of memory",
      async run(scene) {
        await scene.run("ln", ["-s", "/dev/zero", scene.path("run.yaml")]);
        return refused(
          await scene.pipeline(["start", "--config", scene.path("run.yaml")], { limitSeconds: 30 }),
          /run\.yaml/,
        );
      },
    },
    {
      input: "start --config: YAML that grows a billion times",
      before: "refused",
      async run(scene) {
        const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
        for (let index = 1; index < 12; index++) {
          lines.push(
            `a${index}: &a${index} [${Array(10)
              .fill(`*a${index - 1}`)
              .join(",")}]`,
          );
        }
        await writeFile(scene.path("run.yaml"), lines.join("\n"));
        return refused(
          await scene.pipeline(["start", "--config", scene.path("run.yaml")], { limitSeconds: 30 }),
          /run\.yaml/,
        );
      },
    },
    out("/proc/x", "hung without a word", () => "/proc/x"),
    out("/dev/null", "[internal] EEXIST and a stack", () => "/dev/null"),
    out("a file", "[internal] EEXIST and a stack", async (scene) => {
      await writeFile(scene.path("file"), "");
      return scene.path("file");
    }),
    out("a link to itself", "[internal] ELOOP and a stack", async (scene) => {
      await scene.run("ln", ["-s", "loop", scene.path("loop")]);
      return scene.path("loop");
    }),
    out("a name of 300 characters", "[internal] ENAMETOOLONG and a stack", (scene) => scene.path("out".repeat(100))),
    out("a file system without room", "[internal] ENOSPC and a stack", async (scene) => {
      await scene.run("mkdir", [scene.path("out")]);
      const { code, err } = await scene.run("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", scene.path("out")]);
      if (code !== 0) throw new Error(`a small disk cannot be mounted here: ${err}`);
      scene.onClose(() => scene.run("umount", ["-l", scene.path("out")]));
      await writeFile(scene.path("out", "full"), Buffer.alloc(4096));
      return scene.path("out");
    }),
    few(40),
    few(64),
    few(128),
  ],
};
