// Original file: proto/platestream.proto


export interface RefusedProvider {
  'provider'?: (string);
  'reason'?: (string);
}

export interface RefusedProvider__Output {
  'provider': (string);
  'reason': (string);
}
