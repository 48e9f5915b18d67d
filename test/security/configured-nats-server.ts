/** A nats-server with a configuration of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { packageFile } from "../../common/package-file.ts";
import { findServer, freePort } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const busRoles = ["submitter", "node", "worker", "subscriber"] as const;
export type BusRole = (typeof busRoles)[number];
export const passwordOf = (role: BusRole): string => `secret-of-${role}`;

/** The configuration that docs/security.md gives, with `more` after it. */
export const startDocumented = async (t: TestContext, more = ""): Promise<ConfiguredServer> => {
  const doc = await readFile(packageFile("docs/security.md"), "utf8");
  const [, config] = /```conf\n# nats-server\.conf\n(.*?)```/s.exec(doc)!;
  const env = Object.fromEntries(busRoles.map((role) => [`${role.toUpperCase()}_PASSWORD`, passwordOf(role)]));
  return startConfigured(t, (store) => `${config!.replace("/var/lib/nats", store)}${more}`, env);
};

export interface ConfiguredServer {
  /** `host:port` */
  readonly address: string;
  /** What it has logged that somebody tried and may not. */
  violations(): string[];
  /** Goes on with another configuration. */
  reload(config: string): Promise<void>;
}

/** The store is a folder that vanishes with the test. */
export const startConfigured = async (
  t: TestContext,
  config: (store: string) => string,
  env: Readonly<Record<string, string>> = {},
): Promise<ConfiguredServer> => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "nats-server.conf");
  await writeFile(file, config(join(folder, "store")));
  const port = await freePort();
  const child = spawn(findServer(), ["-c", file, "-a", "127.0.0.1", "-p", String(port)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: Buffer[] = [];
  child.stderr.on("data", (text) => said.push(text));
  t.after(async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  });
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries === 100) throw new Error(`nats-server did not start: ${Buffer.concat(said)}`);
    await sleep(50);
  }
  return {
    address: `127.0.0.1:${port}`,
    violations: () =>
      Buffer.concat(said)
        .toString()
        .split("\n")
        .filter((line) => /Violation/.test(line)),
    async reload(changed) {
      await writeFile(file, changed);
      child.kill("SIGHUP");
    },
  };
};

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (there: boolean) => () => {
      socket.destroy();
      resolve(there);
    };
    socket.once("data", end(true));
    socket.once("error", end(false));
  });
