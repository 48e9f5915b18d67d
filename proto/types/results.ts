import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { Alternative as _platestream_v1_Alternative, Alternative__Output as _platestream_v1_Alternative__Output } from './platestream/v1/Alternative.ts';
import type { Call as _platestream_v1_Call, Call__Output as _platestream_v1_Call__Output } from './platestream/v1/Call.ts';
import type { ResultEvent as _platestream_v1_ResultEvent, ResultEvent__Output as _platestream_v1_ResultEvent__Output } from './platestream/v1/ResultEvent.ts';
import type { ResultsClient as _platestream_v1_ResultsClient, ResultsDefinition as _platestream_v1_ResultsDefinition } from './platestream/v1/Results.ts';
import type { State as _platestream_v1_State, State__Output as _platestream_v1_State__Output } from './platestream/v1/State.ts';
import type { SubscribeRequest as _platestream_v1_SubscribeRequest, SubscribeRequest__Output as _platestream_v1_SubscribeRequest__Output } from './platestream/v1/SubscribeRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  platestream: {
    v1: {
      Alternative: MessageTypeDefinition<_platestream_v1_Alternative, _platestream_v1_Alternative__Output>
      Call: MessageTypeDefinition<_platestream_v1_Call, _platestream_v1_Call__Output>
      ResultEvent: MessageTypeDefinition<_platestream_v1_ResultEvent, _platestream_v1_ResultEvent__Output>
      Results: SubtypeConstructor<typeof grpc.Client, _platestream_v1_ResultsClient> & { service: _platestream_v1_ResultsDefinition }
      State: MessageTypeDefinition<_platestream_v1_State, _platestream_v1_State__Output>
      SubscribeRequest: MessageTypeDefinition<_platestream_v1_SubscribeRequest, _platestream_v1_SubscribeRequest__Output>
    }
  }
}

