import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { CalibrateRequest as _platestream_v1_CalibrateRequest, CalibrateRequest__Output as _platestream_v1_CalibrateRequest__Output } from './platestream/v1/CalibrateRequest.ts';
import type { CalibrateResponse as _platestream_v1_CalibrateResponse, CalibrateResponse__Output as _platestream_v1_CalibrateResponse__Output } from './platestream/v1/CalibrateResponse.ts';
import type { Confidence as _platestream_v1_Confidence, Confidence__Output as _platestream_v1_Confidence__Output } from './platestream/v1/Confidence.ts';
import type { Error as _platestream_v1_Error, Error__Output as _platestream_v1_Error__Output } from './platestream/v1/Error.ts';
import type { Estimate as _platestream_v1_Estimate, Estimate__Output as _platestream_v1_Estimate__Output } from './platestream/v1/Estimate.ts';
import type { Images as _platestream_v1_Images, Images__Output as _platestream_v1_Images__Output } from './platestream/v1/Images.ts';
import type { ListModelsRequest as _platestream_v1_ListModelsRequest, ListModelsRequest__Output as _platestream_v1_ListModelsRequest__Output } from './platestream/v1/ListModelsRequest.ts';
import type { ListModelsResponse as _platestream_v1_ListModelsResponse, ListModelsResponse__Output as _platestream_v1_ListModelsResponse__Output } from './platestream/v1/ListModelsResponse.ts';
import type { Model as _platestream_v1_Model, Model__Output as _platestream_v1_Model__Output } from './platestream/v1/Model.ts';
import type { PlateGroup as _platestream_v1_PlateGroup, PlateGroup__Output as _platestream_v1_PlateGroup__Output } from './platestream/v1/PlateGroup.ts';
import type { Positions as _platestream_v1_Positions, Positions__Output as _platestream_v1_Positions__Output } from './platestream/v1/Positions.ts';
import type { PredictRequest as _platestream_v1_PredictRequest, PredictRequest__Output as _platestream_v1_PredictRequest__Output } from './platestream/v1/PredictRequest.ts';
import type { PredictResponse as _platestream_v1_PredictResponse, PredictResponse__Output as _platestream_v1_PredictResponse__Output } from './platestream/v1/PredictResponse.ts';
import type { RefusedProvider as _platestream_v1_RefusedProvider, RefusedProvider__Output as _platestream_v1_RefusedProvider__Output } from './platestream/v1/RefusedProvider.ts';
import type { Replicates as _platestream_v1_Replicates, Replicates__Output as _platestream_v1_Replicates__Output } from './platestream/v1/Replicates.ts';
import type { Serving as _platestream_v1_Serving, Serving__Output as _platestream_v1_Serving__Output } from './platestream/v1/Serving.ts';
import type { ShareMemoryRequest as _platestream_v1_ShareMemoryRequest, ShareMemoryRequest__Output as _platestream_v1_ShareMemoryRequest__Output } from './platestream/v1/ShareMemoryRequest.ts';
import type { ShareMemoryResponse as _platestream_v1_ShareMemoryResponse, ShareMemoryResponse__Output as _platestream_v1_ShareMemoryResponse__Output } from './platestream/v1/ShareMemoryResponse.ts';
import type { SharedPixels as _platestream_v1_SharedPixels, SharedPixels__Output as _platestream_v1_SharedPixels__Output } from './platestream/v1/SharedPixels.ts';
import type { Statistics as _platestream_v1_Statistics, Statistics__Output as _platestream_v1_Statistics__Output } from './platestream/v1/Statistics.ts';
import type { TopClasses as _platestream_v1_TopClasses, TopClasses__Output as _platestream_v1_TopClasses__Output } from './platestream/v1/TopClasses.ts';
import type { WorkerClient as _platestream_v1_WorkerClient, WorkerDefinition as _platestream_v1_WorkerDefinition } from './platestream/v1/Worker.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  platestream: {
    v1: {
      CalibrateRequest: MessageTypeDefinition<_platestream_v1_CalibrateRequest, _platestream_v1_CalibrateRequest__Output>
      CalibrateResponse: MessageTypeDefinition<_platestream_v1_CalibrateResponse, _platestream_v1_CalibrateResponse__Output>
      Confidence: MessageTypeDefinition<_platestream_v1_Confidence, _platestream_v1_Confidence__Output>
      Error: MessageTypeDefinition<_platestream_v1_Error, _platestream_v1_Error__Output>
      Estimate: MessageTypeDefinition<_platestream_v1_Estimate, _platestream_v1_Estimate__Output>
      Images: MessageTypeDefinition<_platestream_v1_Images, _platestream_v1_Images__Output>
      ListModelsRequest: MessageTypeDefinition<_platestream_v1_ListModelsRequest, _platestream_v1_ListModelsRequest__Output>
      ListModelsResponse: MessageTypeDefinition<_platestream_v1_ListModelsResponse, _platestream_v1_ListModelsResponse__Output>
      Model: MessageTypeDefinition<_platestream_v1_Model, _platestream_v1_Model__Output>
      PlateGroup: MessageTypeDefinition<_platestream_v1_PlateGroup, _platestream_v1_PlateGroup__Output>
      Positions: MessageTypeDefinition<_platestream_v1_Positions, _platestream_v1_Positions__Output>
      PredictRequest: MessageTypeDefinition<_platestream_v1_PredictRequest, _platestream_v1_PredictRequest__Output>
      PredictResponse: MessageTypeDefinition<_platestream_v1_PredictResponse, _platestream_v1_PredictResponse__Output>
      RefusedProvider: MessageTypeDefinition<_platestream_v1_RefusedProvider, _platestream_v1_RefusedProvider__Output>
      Replicates: MessageTypeDefinition<_platestream_v1_Replicates, _platestream_v1_Replicates__Output>
      Serving: MessageTypeDefinition<_platestream_v1_Serving, _platestream_v1_Serving__Output>
      ShareMemoryRequest: MessageTypeDefinition<_platestream_v1_ShareMemoryRequest, _platestream_v1_ShareMemoryRequest__Output>
      ShareMemoryResponse: MessageTypeDefinition<_platestream_v1_ShareMemoryResponse, _platestream_v1_ShareMemoryResponse__Output>
      SharedPixels: MessageTypeDefinition<_platestream_v1_SharedPixels, _platestream_v1_SharedPixels__Output>
      Statistics: MessageTypeDefinition<_platestream_v1_Statistics, _platestream_v1_Statistics__Output>
      TopClasses: MessageTypeDefinition<_platestream_v1_TopClasses, _platestream_v1_TopClasses__Output>
      Worker: SubtypeConstructor<typeof grpc.Client, _platestream_v1_WorkerClient> & { service: _platestream_v1_WorkerDefinition }
    }
  }
}

