/** Submits through a gateway. */
import type { Client, ClientUnaryCall, ServiceError } from "@grpc/grpc-js";
import type { ClientSecurity } from "../../common/grpc/client-security.ts";
import { errorOfService } from "../../common/grpc/service-error.ts";
import { loadSubmissions, type SubmitRequest, type SubmitResponse } from "./messages.ts";

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
        error === null ? resolve(response!) : reject(errorOfService(`gateway ${address}`, error, "bus-unavailable")),
      );
    });
  } finally {
    client.close();
  }
};
