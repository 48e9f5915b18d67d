// Original file: proto/platestream.proto

import type { TopClasses as _platestream_v1_TopClasses, TopClasses__Output as _platestream_v1_TopClasses__Output } from '../../platestream/v1/TopClasses.ts';
import type { Error as _platestream_v1_Error, Error__Output as _platestream_v1_Error__Output } from '../../platestream/v1/Error.ts';

export interface PredictResponse {
  'id'?: (string);
  'model'?: (string);
  'model_version'?: (string);
  'statistics_id'?: (string);
  'classes'?: (number);
  'feature_count'?: (number);
  'logits'?: (Buffer | Uint8Array | string);
  'probabilities'?: (Buffer | Uint8Array | string);
  'features'?: (Buffer | Uint8Array | string);
  'top'?: (_platestream_v1_TopClasses)[];
  'error'?: (_platestream_v1_Error | null);
}

export interface PredictResponse__Output {
  'id': (string);
  'model': (string);
  'model_version': (string);
  'statistics_id': (string);
  'classes': (number);
  'feature_count': (number);
  'logits': (Buffer);
  'probabilities': (Buffer);
  'features': (Buffer);
  'top': (_platestream_v1_TopClasses__Output)[];
  'error': (_platestream_v1_Error__Output | null);
}
