// Original file: proto/platestream.proto

import type { Model as _platestream_v1_Model, Model__Output as _platestream_v1_Model__Output } from '../../platestream/v1/Model.ts';
import type { RefusedProvider as _platestream_v1_RefusedProvider, RefusedProvider__Output as _platestream_v1_RefusedProvider__Output } from '../../platestream/v1/RefusedProvider.ts';

export interface ListModelsResponse {
  'models'?: (_platestream_v1_Model)[];
  'runtime'?: (string);
  'provider'?: (string);
  'max_batch'?: (number);
  'precision'?: (string);
  'threads'?: (number);
  'refused'?: (_platestream_v1_RefusedProvider)[];
  'best_batch'?: (number);
}

export interface ListModelsResponse__Output {
  'models': (_platestream_v1_Model__Output)[];
  'runtime': (string);
  'provider': (string);
  'max_batch': (number);
  'precision': (string);
  'threads': (number);
  'refused': (_platestream_v1_RefusedProvider__Output)[];
  'best_batch': (number);
}
