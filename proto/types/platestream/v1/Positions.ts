// Original file: proto/platestream.proto


export interface Positions {
  'wells'?: (string)[];
}

export interface Positions__Output {
  'wells': (string)[];
}
