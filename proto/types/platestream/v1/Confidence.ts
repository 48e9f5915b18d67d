// Original file: proto/platestream.proto


export interface Confidence {
  'temperature'?: (number | string);
  'slope'?: (number | string);
  'offset'?: (number | string);
  'wells'?: (number);
}

export interface Confidence__Output {
  'temperature': (number);
  'slope': (number);
  'offset': (number);
  'wells': (number);
}
