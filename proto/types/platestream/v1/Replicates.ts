// Original file: proto/platestream.proto

import type { Positions as _platestream_v1_Positions, Positions__Output as _platestream_v1_Positions__Output } from '../../platestream/v1/Positions.ts';

export interface Replicates {
  'across_plates'?: (boolean);
  'plate_columns'?: (string)[];
  'positions'?: (_platestream_v1_Positions)[];
  'copies'?: (number)[];
}

export interface Replicates__Output {
  'across_plates': (boolean);
  'plate_columns': (string)[];
  'positions': (_platestream_v1_Positions__Output)[];
  'copies': (number)[];
}
