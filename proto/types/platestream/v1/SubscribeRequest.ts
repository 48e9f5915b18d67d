// Original file: proto/results.proto

import type { Long } from '@grpc/proto-loader';

export interface _platestream_v1_SubscribeRequest_Now {
}

export interface _platestream_v1_SubscribeRequest_Now__Output {
}

export interface _platestream_v1_SubscribeRequest_Start {
}

export interface _platestream_v1_SubscribeRequest_Start__Output {
}

export interface SubscribeRequest {
  'experiments'?: (string)[];
  'cell_types'?: (string)[];
  'plates'?: (string)[];
  'kinds'?: (string)[];
  'now'?: (_platestream_v1_SubscribeRequest_Now | null);
  'start'?: (_platestream_v1_SubscribeRequest_Start | null);
  'after'?: (number | string | Long);
  'stored_only'?: (boolean);
  'from'?: "now"|"start"|"after";
}

export interface SubscribeRequest__Output {
  'experiments': (string)[];
  'cell_types': (string)[];
  'plates': (string)[];
  'kinds': (string)[];
  'now'?: (_platestream_v1_SubscribeRequest_Now__Output | null);
  'start'?: (_platestream_v1_SubscribeRequest_Start__Output | null);
  'after'?: (number);
  'stored_only': (boolean);
  'from'?: "now"|"start"|"after";
}
