/** Where one row plays: a folder of its own, and processes that are killed when it is over. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type NatsServer, startNatsServer } from "../bus/nats-server.ts";
import { type Process, program, startPipeline } from "../faults/processes.ts";
import { type AttackClient, attackClient } from "./client.ts";
import { type Ended, type RunOptions, runToEnd } from "./ended.ts";
import { type Fixtures, type RunningWorker, startWorker } from "./fixtures.ts";

export interface Scene
  extends Pick<Fixtures, "slowness" | "data" | "model" | "wells" | "calls" | "profiles" | "copyResults"> {
  readonly folder: string;
  /** A path in its folder. */
  path(...names: readonly string[]): string;
  copyData(): Promise<string>;
  copyModel(): Promise<string>;
  /** `pipeline ARGS` to its end, or for so long. */
  pipeline(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** `pipeline start` of the data or others with the shared worker, as lines of JSON. */
  start(options?: readonly string[], run?: RunOptions & { readonly data?: string }): Promise<Ended>;
  /** Any command. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** `sh -c`, in which $PIPELINE is the program. */
  shell(text: string, options?: RunOptions): Promise<Ended>;
  /** A process that stays. */
  process(name: string, args: readonly string[], wrap?: readonly string[]): Process;
  worker(options?: readonly string[], wrap?: readonly string[]): Promise<RunningWorker>;
  sharedWorker(): Promise<RunningWorker>;
  nats(): Promise<NatsServer>;
  client(address: string, patienceMs?: number): AttackClient;
  /** Waits so many seconds, more on a slow machine. */
  patience(seconds: number): Promise<void>;
  onClose(undo: () => unknown): void;
  /** What its processes said last. */
  lastHeard(): string;
  close(): Promise<void>;
}

export const openScene = (folder: string, fixtures: Fixtures): Scene => {
  const closing: (() => unknown)[] = [];
  const processes: Process[] = [];
  const keep = <P extends Process>(each: P): P => {
    processes.push(each);
    closing.push(() => each.kill());
    return each;
  };
  const path = (...names: readonly string[]) => join(folder, ...names);
  const copy = (from: string) => async (name: string) => {
    await cp(from, path(name), { recursive: true });
    return path(name);
  };
  const { slowness } = fixtures;
  const run: Scene["run"] = (command, args, { limitSeconds = 60, ...options } = {}) =>
    runToEnd(command, args, { ...options, limitSeconds: limitSeconds * slowness });
  const pipeline: Scene["pipeline"] = (args, options) => run(process.execPath, [program, ...args], options);
  return {
    ...fixtures,
    folder,
    path,
    copyData: () => copy(fixtures.data)("data"),
    copyModel: () => copy(fixtures.model)("model"),
    pipeline,
    async start(options = [], { data = fixtures.data, ...runOptions } = {}) {
      const { address } = await fixtures.worker();
      return pipeline(
        ["start", "--data", data, "--worker", address, "--out", path("out"), "--json", ...options],
        runOptions,
      );
    },
    run,
    shell: (text, options = {}) =>
      run("bash", ["-c", text], {
        ...options,
        env: { ...options.env, PIPELINE: `${process.execPath} ${program}` },
      }),
    process: (name, args, wrap) => keep(startPipeline(name, args, wrap)),
    worker: async (options = ["--model", fixtures.model], wrap) => keep(await startWorker("worker", options, wrap)),
    sharedWorker: fixtures.worker,
    async nats() {
      const server = await startNatsServer({ folder });
      closing.push(server.close);
      return server;
    },
    client(address, patienceMs = 15_000) {
      const client = attackClient(address, patienceMs * slowness);
      closing.push(client.close);
      return client;
    },
    patience: (seconds) => sleep(seconds * slowness * 1000),
    onClose: (undo) => void closing.push(undo),
    lastHeard() {
      const lines = processes.flatMap(({ name, said, complaints }) =>
        [...said.slice(-2).map((each) => JSON.stringify(each)), ...complaints.slice(-2)].map(
          (line) => `${name}: ${line}`,
        ),
      );
      return lines.length === 0 ? "nothing" : lines.join(" | ").slice(0, 500);
    },
    async close() {
      for (const undo of closing.reverse()) await undo();
    },
  };
};
