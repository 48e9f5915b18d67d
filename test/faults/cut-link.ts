/** A TCP connection that can be cut: a proxy that destroys what goes through it, and refuses anew until it is mended. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Link {
  /** `127.0.0.1:PORT`, to be used instead of the target's. */
  readonly address: string;
  /** Bytes that went to the target. */
  sent(): number;
  /** Destroys all connections and refuses others. */
  cut(): void;
  mend(): void;
  /** Neither end is read any more, as when the client's process is stopped. */
  freeze(): void;
  close(): Promise<void>;
}

/** A link to `host:port`; everything takes `delayMs` longer, each way. */
export const openLink = async (target: string, delayMs = 0): Promise<Link> => {
  const [host, port] = target.split(":") as [string, string];
  const sockets = new Set<Socket>();
  let whole = true;
  let bytes = 0;
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
    if (delayMs === 0) socket.pipe(other);
    else socket.on("data", (data: Buffer) => void setTimeout(() => other.writable && other.write(data), delayMs));
  };
  const server = createServer((near) => {
    if (!whole) return near.destroy();
    const far = connect(Number(port), host);
    near.on("data", (data: Buffer) => {
      bytes += data.length;
    });
    keep(near, far);
    keep(far, near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    sent: () => bytes,
    cut,
    mend: () => {
      whole = true;
    },
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
};
