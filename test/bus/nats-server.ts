/** A real nats-server on a free port, with a store of its own. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNats, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";

export interface NatsServer {
  readonly url: string;
  readonly pid: number;
  /** A URL of its own namespace on this server. */
  namespace(): string;
  /** `kill -9`; the store stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same store. */
  restart(): Promise<void>;
  /** Ends it and removes its store. */
  close(): Promise<void>;
}

const install = "apt-get update && apt-get install -y nats-server";

/** Path of nats-server; installs Debian's package where root may do so. */
export const findServer = (): string => {
  const path = ["nats-server", "/usr/sbin/nats-server"].find((each) => spawnSync(each, ["-v"]).status === 0);
  if (path !== undefined) return path;
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    throw new Error(`the tests of the bus need nats-server on the PATH; install it with: ${install}`);
  }
  const unlessThere = `command -v nats-server || { ${install}; }`; // test files run side by side, and apt-get cannot
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("flock", [join(tmpdir(), "platestream-install-nats"), "sh", "-c", unlessThere], { stdio: "pipe", env });
  return findServer();
};

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
};

/** With a store in `folder`, or in one of its own. */
export const startNatsServer = async ({ jetStream = true, folder = tmpdir() } = {}): Promise<NatsServer> => {
  const command = findServer();
  const store = await mkdtemp(join(folder, "platestream-nats-"));
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  let child: ChildProcess;
  let namespaces = 0;

  const start = async () => {
    child = spawn(command, ["-a", "127.0.0.1", "-p", String(port), ...(jetStream ? ["-js", "-sd", store] : [])], {
      stdio: "ignore",
    });
    for (let tries = 0; ; tries++) {
      const connected = await connectNats(parseBusUrl(url), "test", () => undefined).catch(() => undefined);
      if (connected !== undefined) return connected.nc.close();
      if (tries === 100) throw new Error(`nats-server did not start on port ${port}`);
      await sleep(50);
    }
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  await start();
  return {
    url,
    get pid() {
      return child.pid!;
    },
    namespace: () => `${url}/test-${namespaces++}`,
    kill,
    restart: start,
    async close() {
      await kill();
      await rm(store, { recursive: true, force: true });
    },
  };
};
