// Original file: proto/results.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ResultEvent as _platestream_v1_ResultEvent, ResultEvent__Output as _platestream_v1_ResultEvent__Output } from '../../platestream/v1/ResultEvent.ts';
import type { SubscribeRequest as _platestream_v1_SubscribeRequest, SubscribeRequest__Output as _platestream_v1_SubscribeRequest__Output } from '../../platestream/v1/SubscribeRequest.ts';

export interface ResultsClient extends grpc.Client {
  Subscribe(argument: _platestream_v1_SubscribeRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ResultEvent__Output>;
  Subscribe(argument: _platestream_v1_SubscribeRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ResultEvent__Output>;
  subscribe(argument: _platestream_v1_SubscribeRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ResultEvent__Output>;
  subscribe(argument: _platestream_v1_SubscribeRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ResultEvent__Output>;
  
}

export interface ResultsHandlers extends grpc.UntypedServiceImplementation {
  Subscribe: grpc.handleServerStreamingCall<_platestream_v1_SubscribeRequest__Output, _platestream_v1_ResultEvent>;
  
}

export interface ResultsDefinition extends grpc.ServiceDefinition {
  Subscribe: MethodDefinition<_platestream_v1_SubscribeRequest, _platestream_v1_ResultEvent, _platestream_v1_SubscribeRequest__Output, _platestream_v1_ResultEvent__Output>
}
