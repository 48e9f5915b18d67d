/** A real nats-server on a free port, with a store of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNats, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { debianProgram } from "../kit/debian.ts";

export interface NatsServer {
  readonly url: string;
  readonly pid: number;
  /** Folder of a stream's messages; touch it only while the server is dead. */
  messagesOf(stream: string): string;
  /** Folder of all that it stores; the same holds. */
  readonly store: string;
  /** A URL of its own namespace on this server. */
  namespace(): string;
  /** `kill -9`; the store stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same store. */
  restart(): Promise<void>;
  /** Ends it and removes its store. */
  close(): Promise<void>;
}

/** Path of nats-server; installs Debian's package where root may do so. */
export const findServer = (): string => debianProgram(["nats-server", "/usr/sbin/nats-server"], "-v", "nats-server");

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
};

interface ServerOptions {
  readonly jetStream?: boolean;
  /** Where its store is made. */
  readonly folder?: string;
  /** Other flags of nats-server. */
  readonly flags?: readonly string[];
}

/** With a store in `folder`, or in one of its own. */
export const startNatsServer = async ({
  jetStream = true,
  folder = tmpdir(),
  flags = [],
}: ServerOptions = {}): Promise<NatsServer> => {
  const command = findServer();
  const store = await mkdtemp(join(folder, "platestream-nats-"));
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  let child: ChildProcess;
  let namespaces = 0;

  const start = async () => {
    const args = ["-a", "127.0.0.1", "-p", String(port), ...(jetStream ? ["-js", "-sd", store] : []), ...flags];
    child = spawn(command, args, { stdio: "ignore" });
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
    store,
    messagesOf: (stream) => join(store, "jetstream", "$G", "streams", stream, "msgs"),
    kill,
    restart: start,
    async close() {
      await kill();
      await rm(store, { recursive: true, force: true });
    },
  };
};
