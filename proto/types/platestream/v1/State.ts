// Original file: proto/results.proto


export interface State {
  'state'?: (string);
  'attempt'?: (number);
  'reason'?: (string);
  'calls'?: (number);
  'seconds'?: (number | string);
}

export interface State__Output {
  'state': (string);
  'attempt': (number);
  'reason': (string);
  'calls': (number);
  'seconds': (number);
}
