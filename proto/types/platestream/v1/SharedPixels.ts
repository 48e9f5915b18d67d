// Original file: proto/platestream.proto

import type { Long } from '@grpc/proto-loader';

export interface SharedPixels {
  'name'?: (string);
  'offset'?: (number | string | Long);
  'bytes'?: (number | string | Long);
  'turn'?: (number | string | Long);
}

export interface SharedPixels__Output {
  'name': (string);
  'offset': (number);
  'bytes': (number);
  'turn': (number);
}
