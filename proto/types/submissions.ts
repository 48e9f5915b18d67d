import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { SubmissionsClient as _platestream_v1_SubmissionsClient, SubmissionsDefinition as _platestream_v1_SubmissionsDefinition } from './platestream/v1/Submissions.ts';
import type { SubmitRequest as _platestream_v1_SubmitRequest, SubmitRequest__Output as _platestream_v1_SubmitRequest__Output } from './platestream/v1/SubmitRequest.ts';
import type { SubmitResponse as _platestream_v1_SubmitResponse, SubmitResponse__Output as _platestream_v1_SubmitResponse__Output } from './platestream/v1/SubmitResponse.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  platestream: {
    v1: {
      Submissions: SubtypeConstructor<typeof grpc.Client, _platestream_v1_SubmissionsClient> & { service: _platestream_v1_SubmissionsDefinition }
      SubmitRequest: MessageTypeDefinition<_platestream_v1_SubmitRequest, _platestream_v1_SubmitRequest__Output>
      SubmitResponse: MessageTypeDefinition<_platestream_v1_SubmitResponse, _platestream_v1_SubmitResponse__Output>
    }
  }
}

