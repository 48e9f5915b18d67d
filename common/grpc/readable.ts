/** Messages that cannot be read are the client's mistake: grpc-js would answer INTERNAL. */
import type { ServiceDefinition } from "@grpc/grpc-js";
import { PlatestreamError } from "../errors.ts";

/** What stands in for a message until the guard refuses the call. */
export class UnreadableMessage {
  readonly error: PlatestreamError;

  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.error = new PlatestreamError("invalid-request", `the message is not what the .proto file says: ${why}`, {
      cause,
    });
  }
}

/** The same service, whose methods give an `UnreadableMessage` for bytes that are none of their messages. */
export const readable = (service: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          return method.requestDeserialize(bytes);
        } catch (thrown) {
          return new UnreadableMessage(thrown);
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );
