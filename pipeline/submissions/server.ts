/** The gateway's gRPC server. */
import type { OnRefused } from "../../common/grpc/guard.ts";
import { type GrpcService, type RunningServer, serve } from "../../common/grpc/serve.ts";
import type { ServerSecurity } from "../../common/grpc/server-security.ts";
import { serviceError } from "../../common/grpc/service-error.ts";
import type { SubmissionsHandlers } from "../../proto/types/platestream/v1/Submissions.ts";
import type { SubmitRequest__Output } from "../../proto/types/platestream/v1/SubmitRequest.ts";
import type { SubmitResponse } from "../../proto/types/platestream/v1/SubmitResponse.ts";

/** Throws `PlatestreamError`s. */
export type Submit = (request: SubmitRequest__Output) => Promise<SubmitResponse>;

export interface SubmissionsOptions {
  /** `host:port`; port 0: any that is free. */
  readonly listen: string;
  readonly security: ServerSecurity;
  readonly submit: Submit;
  readonly onRefused: OnRefused;
}

const submissionsService = (submit: Submit): GrpcService => ({
  name: "platestream.v1.Submissions",
  proto: "submissions.proto",
  rules: { Submit: { role: "submit" } },
  implement: () => {
    const handlers: SubmissionsHandlers = {
      Submit({ request }, answer) {
        submit(request).then(
          (response) => answer(null, response),
          (error) => answer(serviceError(error)),
        );
      },
    };
    return handlers;
  },
});

/** Throws "invalid-config" when it cannot listen, or must not. */
export const serveSubmissions = ({ submit, ...options }: SubmissionsOptions): Promise<RunningServer> =>
  serve([submissionsService(submit)], { ...options, option: "--listen", who: "the gateway" });
