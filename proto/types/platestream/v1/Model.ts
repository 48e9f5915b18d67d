// Original file: proto/platestream.proto

import type { PlateGroup as _platestream_v1_PlateGroup, PlateGroup__Output as _platestream_v1_PlateGroup__Output } from '../../platestream/v1/PlateGroup.ts';
import type { Serving as _platestream_v1_Serving, Serving__Output as _platestream_v1_Serving__Output } from '../../platestream/v1/Serving.ts';

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
}
