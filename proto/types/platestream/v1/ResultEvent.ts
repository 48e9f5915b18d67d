// Original file: proto/results.proto

import type { Call as _platestream_v1_Call, Call__Output as _platestream_v1_Call__Output } from '../../platestream/v1/Call.ts';
import type { State as _platestream_v1_State, State__Output as _platestream_v1_State__Output } from '../../platestream/v1/State.ts';
import type { Long } from '@grpc/proto-loader';

export interface ResultEvent {
  'seq'?: (number | string | Long);
  'experiment'?: (string);
  'cell_type'?: (string);
  'node'?: (string);
  'at'?: (string);
  'call'?: (_platestream_v1_Call | null);
  'state'?: (_platestream_v1_State | null);
  'event'?: "call"|"state";
}

export interface ResultEvent__Output {
  'seq': (number);
  'experiment': (string);
  'cell_type': (string);
  'node': (string);
  'at': (string);
  'call'?: (_platestream_v1_Call__Output | null);
  'state'?: (_platestream_v1_State__Output | null);
  'event'?: "call"|"state";
}
