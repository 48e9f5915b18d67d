// Original file: proto/submissions.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { SubmitRequest as _platestream_v1_SubmitRequest, SubmitRequest__Output as _platestream_v1_SubmitRequest__Output } from '../../platestream/v1/SubmitRequest.ts';
import type { SubmitResponse as _platestream_v1_SubmitResponse, SubmitResponse__Output as _platestream_v1_SubmitResponse__Output } from '../../platestream/v1/SubmitResponse.ts';

export interface SubmissionsClient extends grpc.Client {
  Submit(argument: _platestream_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _platestream_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _platestream_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _platestream_v1_SubmitRequest, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _platestream_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _platestream_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _platestream_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _platestream_v1_SubmitRequest, callback: grpc.requestCallback<_platestream_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface SubmissionsHandlers extends grpc.UntypedServiceImplementation {
  Submit: grpc.handleUnaryCall<_platestream_v1_SubmitRequest__Output, _platestream_v1_SubmitResponse>;
  
}

export interface SubmissionsDefinition extends grpc.ServiceDefinition {
  Submit: MethodDefinition<_platestream_v1_SubmitRequest, _platestream_v1_SubmitResponse, _platestream_v1_SubmitRequest__Output, _platestream_v1_SubmitResponse__Output>
}
