/** Submits through a gateway. */
import type { Client, ClientUnaryCall, ServiceError } from "@grpc/grpc-js";
import { type ErrorCode, errorCodes, PlatestreamError } from "../../proto/errors.ts";
import type { ClientSecurity } from "../../proto/security/client-security.ts";
import { loadSubmissions, type SubmitRequest, type SubmitResponse } from "./wire.ts";

/** Throws what the gateway says, as a `PlatestreamError`; "bus-unavailable" when it does not answer. */
export const submitThrough = async (
  address: string,
  security: ClientSecurity,
  request: SubmitRequest,
): Promise<SubmitResponse> => {
  const { credentials, interceptors } = security.toServer(address);
  const { Client } = loadSubmissions();
  const client = new Client(address, credentials, {
    interceptors,
    "grpc.keepalive_time_ms": 20_000,
  }) as unknown as Client & {
    submit(
      request: SubmitRequest,
      answer: (error: ServiceError | null, response?: SubmitResponse) => void,
    ): ClientUnaryCall;
  };
  try {
    return await new Promise((resolve, reject) => {
      client.submit(request, (error, response) =>
        error === null ? resolve(response!) : reject(translate(address, error)),
      );
    });
  } finally {
    client.close();
  }
};

const translate = (address: string, error: ServiceError): PlatestreamError => {
  const [sent] = error.metadata.get("platestream-code");
  const code = typeof sent === "string" && Object.hasOwn(errorCodes, sent) ? (sent as ErrorCode) : "bus-unavailable";
  return new PlatestreamError(code, `gateway ${address}: ${error.details}`, { cause: error });
};
