// Original file: proto/platestream.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CalibrateRequest as _platestream_v1_CalibrateRequest, CalibrateRequest__Output as _platestream_v1_CalibrateRequest__Output } from '../../platestream/v1/CalibrateRequest.ts';
import type { CalibrateResponse as _platestream_v1_CalibrateResponse, CalibrateResponse__Output as _platestream_v1_CalibrateResponse__Output } from '../../platestream/v1/CalibrateResponse.ts';
import type { ListModelsRequest as _platestream_v1_ListModelsRequest, ListModelsRequest__Output as _platestream_v1_ListModelsRequest__Output } from '../../platestream/v1/ListModelsRequest.ts';
import type { ListModelsResponse as _platestream_v1_ListModelsResponse, ListModelsResponse__Output as _platestream_v1_ListModelsResponse__Output } from '../../platestream/v1/ListModelsResponse.ts';
import type { PredictRequest as _platestream_v1_PredictRequest, PredictRequest__Output as _platestream_v1_PredictRequest__Output } from '../../platestream/v1/PredictRequest.ts';
import type { PredictResponse as _platestream_v1_PredictResponse, PredictResponse__Output as _platestream_v1_PredictResponse__Output } from '../../platestream/v1/PredictResponse.ts';
import type { ShareMemoryRequest as _platestream_v1_ShareMemoryRequest, ShareMemoryRequest__Output as _platestream_v1_ShareMemoryRequest__Output } from '../../platestream/v1/ShareMemoryRequest.ts';
import type { ShareMemoryResponse as _platestream_v1_ShareMemoryResponse, ShareMemoryResponse__Output as _platestream_v1_ShareMemoryResponse__Output } from '../../platestream/v1/ShareMemoryResponse.ts';

export interface WorkerClient extends grpc.Client {
  Calibrate(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  Calibrate(metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  Calibrate(options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  Calibrate(callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  calibrate(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  calibrate(metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  calibrate(options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  calibrate(callback: grpc.requestCallback<_platestream_v1_CalibrateResponse__Output>): grpc.ClientWritableStream<_platestream_v1_CalibrateRequest>;
  
  ListModels(argument: _platestream_v1_ListModelsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  ListModels(argument: _platestream_v1_ListModelsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  ListModels(argument: _platestream_v1_ListModelsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  ListModels(argument: _platestream_v1_ListModelsRequest, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  listModels(argument: _platestream_v1_ListModelsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  listModels(argument: _platestream_v1_ListModelsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  listModels(argument: _platestream_v1_ListModelsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  listModels(argument: _platestream_v1_ListModelsRequest, callback: grpc.requestCallback<_platestream_v1_ListModelsResponse__Output>): grpc.ClientUnaryCall;
  
  Predict(argument: _platestream_v1_PredictRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  Predict(argument: _platestream_v1_PredictRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  Predict(argument: _platestream_v1_PredictRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  Predict(argument: _platestream_v1_PredictRequest, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  predict(argument: _platestream_v1_PredictRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  predict(argument: _platestream_v1_PredictRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  predict(argument: _platestream_v1_PredictRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  predict(argument: _platestream_v1_PredictRequest, callback: grpc.requestCallback<_platestream_v1_PredictResponse__Output>): grpc.ClientUnaryCall;
  
  PredictStream(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse__Output>;
  PredictStream(options?: grpc.CallOptions): grpc.ClientDuplexStream<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse__Output>;
  predictStream(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse__Output>;
  predictStream(options?: grpc.CallOptions): grpc.ClientDuplexStream<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse__Output>;
  
  ShareMemory(argument: _platestream_v1_ShareMemoryRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ShareMemoryResponse__Output>;
  ShareMemory(argument: _platestream_v1_ShareMemoryRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ShareMemoryResponse__Output>;
  shareMemory(argument: _platestream_v1_ShareMemoryRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ShareMemoryResponse__Output>;
  shareMemory(argument: _platestream_v1_ShareMemoryRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_platestream_v1_ShareMemoryResponse__Output>;
  
}

export interface WorkerHandlers extends grpc.UntypedServiceImplementation {
  Calibrate: grpc.handleClientStreamingCall<_platestream_v1_CalibrateRequest__Output, _platestream_v1_CalibrateResponse>;
  
  ListModels: grpc.handleUnaryCall<_platestream_v1_ListModelsRequest__Output, _platestream_v1_ListModelsResponse>;
  
  Predict: grpc.handleUnaryCall<_platestream_v1_PredictRequest__Output, _platestream_v1_PredictResponse>;
  
  PredictStream: grpc.handleBidiStreamingCall<_platestream_v1_PredictRequest__Output, _platestream_v1_PredictResponse>;
  
  ShareMemory: grpc.handleServerStreamingCall<_platestream_v1_ShareMemoryRequest__Output, _platestream_v1_ShareMemoryResponse>;
  
}

export interface WorkerDefinition extends grpc.ServiceDefinition {
  Calibrate: MethodDefinition<_platestream_v1_CalibrateRequest, _platestream_v1_CalibrateResponse, _platestream_v1_CalibrateRequest__Output, _platestream_v1_CalibrateResponse__Output>
  ListModels: MethodDefinition<_platestream_v1_ListModelsRequest, _platestream_v1_ListModelsResponse, _platestream_v1_ListModelsRequest__Output, _platestream_v1_ListModelsResponse__Output>
  Predict: MethodDefinition<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse, _platestream_v1_PredictRequest__Output, _platestream_v1_PredictResponse__Output>
  PredictStream: MethodDefinition<_platestream_v1_PredictRequest, _platestream_v1_PredictResponse, _platestream_v1_PredictRequest__Output, _platestream_v1_PredictResponse__Output>
  ShareMemory: MethodDefinition<_platestream_v1_ShareMemoryRequest, _platestream_v1_ShareMemoryResponse, _platestream_v1_ShareMemoryRequest__Output, _platestream_v1_ShareMemoryResponse__Output>
}
