/** Submits through a gateway. */
import type { ClientSecurity } from "../../common/grpc/client-security.ts";
import { clientOf } from "../../common/grpc/protos.ts";
import { errorOfService } from "../../common/grpc/service-error.ts";
import type { SubmissionsClient } from "../../proto/types/platestream/v1/Submissions.ts";
import type { SubmitRequest } from "../../proto/types/platestream/v1/SubmitRequest.ts";
import type { SubmitResponse__Output } from "../../proto/types/platestream/v1/SubmitResponse.ts";

/** Throws what the gateway says, as a `PlatestreamError`; "bus-unavailable" when it does not answer. */
export const submitThrough = async (
  address: string,
  security: ClientSecurity,
  request: SubmitRequest,
): Promise<SubmitResponse__Output> => {
  const { credentials, interceptors } = security.toServer(address);
  const Client = clientOf<SubmissionsClient>("submissions.proto", "platestream.v1.Submissions");
  const client = new Client(address, credentials, { interceptors, "grpc.keepalive_time_ms": 20_000 });
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
