// Original file: proto/results.proto

import type { Alternative as _platestream_v1_Alternative, Alternative__Output as _platestream_v1_Alternative__Output } from '../../platestream/v1/Alternative.ts';

export interface Call {
  'plate'?: (string);
  'well'?: (string);
  'treatment'?: (string);
  'probability'?: (number | string);
  'margin'?: (number | string);
  'alternatives'?: (_platestream_v1_Alternative)[];
  'strategy'?: (string);
  'flags'?: (string)[];
  'model'?: (string);
  'statistics'?: (string);
  'confidence'?: (number | string);
  '_confidence'?: "confidence";
}

export interface Call__Output {
  'plate': (string);
  'well': (string);
  'treatment': (string);
  'probability': (number);
  'margin': (number);
  'alternatives': (_platestream_v1_Alternative__Output)[];
  'strategy': (string);
  'flags': (string)[];
  'model': (string);
  'statistics': (string);
  'confidence'?: (number);
  '_confidence'?: "confidence";
}
