import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { type ErrorCode, errorCodes, PlatestreamError } from "../errors.ts";

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

/** What a server said, as an error of ours that names the server; with `otherwise` as its code where it sent none of ours. */
export const errorOfService = (server: string, error: ServiceError, otherwise: ErrorCode): PlatestreamError =>
  new PlatestreamError(sentCode(error) ?? otherwise, `${server}: ${error.details.replace(/^\[[a-z-]+\] /, "")}`, {
    cause: error,
  });

const sentCode = ({ metadata }: ServiceError): ErrorCode | undefined => {
  const [sent] = metadata.get("platestream-code");
  return typeof sent === "string" && Object.hasOwn(errorCodes, sent) ? (sent as ErrorCode) : undefined;
};
