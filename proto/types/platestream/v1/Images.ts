// Original file: proto/platestream.proto

import type { SharedPixels as _platestream_v1_SharedPixels, SharedPixels__Output as _platestream_v1_SharedPixels__Output } from '../../platestream/v1/SharedPixels.ts';

// Original file: proto/platestream.proto

export const _platestream_v1_Images_PixelType = {
  UINT8: 'UINT8',
  UINT16: 'UINT16',
  FLOAT32: 'FLOAT32',
} as const;

export type _platestream_v1_Images_PixelType =
  | 'UINT8'
  | 0
  | 'UINT16'
  | 1
  | 'FLOAT32'
  | 2

export type _platestream_v1_Images_PixelType__Output = typeof _platestream_v1_Images_PixelType[keyof typeof _platestream_v1_Images_PixelType]

export interface Images {
  'pixels'?: (Buffer | Uint8Array | string);
  'type'?: (_platestream_v1_Images_PixelType);
  'shape'?: (number)[];
  'scale'?: (number | string)[];
  'offset'?: (number | string)[];
  'id'?: (string);
  'shared'?: (_platestream_v1_SharedPixels | null);
}

export interface Images__Output {
  'pixels': (Buffer);
  'type': (_platestream_v1_Images_PixelType__Output);
  'shape': (number)[];
  'scale': (number)[];
  'offset': (number)[];
  'id': (string);
  'shared': (_platestream_v1_SharedPixels__Output | null);
}
