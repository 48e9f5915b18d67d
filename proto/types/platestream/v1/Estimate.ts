// Original file: proto/platestream.proto


export interface Estimate {
  'data'?: (Buffer | Uint8Array | string);
  'images'?: (number);
}

export interface Estimate__Output {
  'data': (Buffer);
  'images': (number);
}
