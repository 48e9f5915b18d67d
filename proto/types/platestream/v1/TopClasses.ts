// Original file: proto/platestream.proto


export interface TopClasses {
  'index'?: (number)[];
  'treatment'?: (string)[];
  'probability'?: (number | string)[];
}

export interface TopClasses__Output {
  'index': (number)[];
  'treatment': (string)[];
  'probability': (number)[];
}
