// Original file: proto/platestream.proto

import type { Images as _platestream_v1_Images, Images__Output as _platestream_v1_Images__Output } from '../../platestream/v1/Images.ts';
import type { Statistics as _platestream_v1_Statistics, Statistics__Output as _platestream_v1_Statistics__Output } from '../../platestream/v1/Statistics.ts';

export interface PredictRequest {
  'id'?: (string);
  'model'?: (string);
  'cell_type'?: (string);
  'images'?: (_platestream_v1_Images | null);
  'statistics'?: (_platestream_v1_Statistics | null);
  'plates'?: (number)[];
  'top'?: (number);
  '_top'?: "top";
}

export interface PredictRequest__Output {
  'id': (string);
  'model': (string);
  'cell_type': (string);
  'images': (_platestream_v1_Images__Output | null);
  'statistics': (_platestream_v1_Statistics__Output | null);
  'plates': (number)[];
  'top'?: (number);
  '_top'?: "top";
}
