// Original file: proto/platestream.proto

import type { PlateGroup as _platestream_v1_PlateGroup, PlateGroup__Output as _platestream_v1_PlateGroup__Output } from '../../platestream/v1/PlateGroup.ts';
import type { Serving as _platestream_v1_Serving, Serving__Output as _platestream_v1_Serving__Output } from '../../platestream/v1/Serving.ts';
import type { Confidence as _platestream_v1_Confidence, Confidence__Output as _platestream_v1_Confidence__Output } from '../../platestream/v1/Confidence.ts';
import type { Replicates as _platestream_v1_Replicates, Replicates__Output as _platestream_v1_Replicates__Output } from '../../platestream/v1/Replicates.ts';

export interface Model {
  'name'?: (string);
  'version'?: (string);
  'cell_type'?: (string);
  'trained'?: (boolean);
  'classes'?: (string)[];
  'controls'?: (number)[];
  'plate_groups'?: (_platestream_v1_PlateGroup)[];
  'channels'?: (number);
  'height'?: (number);
  'width'?: (number);
  'plates'?: (number);
  'feature_count'?: (number);
  'serving'?: (_platestream_v1_Serving | null);
  'confidence'?: (_platestream_v1_Confidence | null);
  'copies'?: (number)[];
  'channel_names'?: (string)[];
  'replicates'?: (_platestream_v1_Replicates | null);
}

export interface Model__Output {
  'name': (string);
  'version': (string);
  'cell_type': (string);
  'trained': (boolean);
  'classes': (string)[];
  'controls': (number)[];
  'plate_groups': (_platestream_v1_PlateGroup__Output)[];
  'channels': (number);
  'height': (number);
  'width': (number);
  'plates': (number);
  'feature_count': (number);
  'serving': (_platestream_v1_Serving__Output | null);
  'confidence': (_platestream_v1_Confidence__Output | null);
  'copies': (number)[];
  'channel_names': (string)[];
  'replicates': (_platestream_v1_Replicates__Output | null);
}
