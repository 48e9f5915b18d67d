// Original file: proto/results.proto


export interface Alternative {
  'treatment'?: (string);
  'probability'?: (number | string);
}

export interface Alternative__Output {
  'treatment': (string);
  'probability': (number);
}
