// Original file: proto/platestream.proto

import type { Model as _platestream_v1_Model, Model__Output as _platestream_v1_Model__Output } from '../../platestream/v1/Model.ts';

export interface ListModelsResponse {
  'models'?: (_platestream_v1_Model)[];
  'runtime'?: (string);
  'provider'?: (string);
  'max_batch'?: (number);
}

export interface ListModelsResponse__Output {
  'models': (_platestream_v1_Model__Output)[];
  'runtime': (string);
  'provider': (string);
  'max_batch': (number);
}
