/** What handlers of gRPC calls need beside grpc-js. */
import { once } from "node:events";

/** Aborts when the client gives up or its deadline passes. */
export const signalOf = (call: { on(event: "cancelled", listener: () => void): unknown }): AbortSignal => {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort());
  return controller.signal;
};

interface Writable<T> extends NodeJS.EventEmitter {
  write(message: T): boolean;
}

/** Writes one message, and waits while the client has not taken those before it. */
export const writeTo = async <T>(call: Writable<T>, message: T, signal: AbortSignal): Promise<void> => {
  if (signal.aborted || call.write(message)) return;
  await once(call, "drain", { signal }).catch(() => undefined);
};
