// Original file: proto/platestream.proto


export interface CalibrateResponse {
  'id'?: (string);
  'data'?: (Buffer | Uint8Array | string);
  'images'?: (number);
  'model_version'?: (string);
}

export interface CalibrateResponse__Output {
  'id': (string);
  'data': (Buffer);
  'images': (number);
  'model_version': (string);
}
