import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { errorCodes, PlatestreamError } from "./errors.ts";

/** An error as gRPC sends it: status and text, and our code in the trailing metadata. */
export const serviceError = (thrown: unknown): ServiceError => {
  const error = PlatestreamError.from(thrown);
  const metadata = new Metadata();
  metadata.set("platestream-code", error.code);
  return Object.assign(new Error(error.rawMessage), {
    code: errorCodes[error.code].grpc,
    details: error.rawMessage.slice(0, 4000), // travels in a header
    metadata,
  });
};
