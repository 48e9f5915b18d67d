// Original file: proto/platestream.proto

import type { Images as _platestream_v1_Images, Images__Output as _platestream_v1_Images__Output } from '../../platestream/v1/Images.ts';
import type { Estimate as _platestream_v1_Estimate, Estimate__Output as _platestream_v1_Estimate__Output } from '../../platestream/v1/Estimate.ts';

export interface CalibrateRequest {
  'model'?: (string);
  'cell_type'?: (string);
  'images'?: (_platestream_v1_Images | null);
  'source_weight'?: (number | string);
  'estimate'?: (_platestream_v1_Estimate | null);
}

export interface CalibrateRequest__Output {
  'model': (string);
  'cell_type': (string);
  'images': (_platestream_v1_Images__Output | null);
  'source_weight': (number);
  'estimate': (_platestream_v1_Estimate__Output | null);
}
