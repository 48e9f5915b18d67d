/** Messages of proto/submissions.proto as proto-loader gives them. */
import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { loadProto } from "../../common/grpc/load-proto.ts";

export interface SubmitRequest {
  readonly data: string;
  readonly experiments: readonly string[];
}

export interface SubmitResponse {
  readonly queued: number;
  readonly known: number;
}

export const loadSubmissions = () => {
  const definition = loadProto("submissions.proto");
  const { platestream } = loadPackageDefinition(definition) as unknown as {
    platestream: { v1: { Submissions: ServiceClientConstructor } };
  };
  const { Submissions: Client } = platestream.v1;
  return { definition, Client, service: Client.service as ServiceDefinition };
};
