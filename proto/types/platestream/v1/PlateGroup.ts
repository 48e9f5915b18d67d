// Original file: proto/platestream.proto


export interface PlateGroup {
  'classes'?: (number)[];
}

export interface PlateGroup__Output {
  'classes': (number)[];
}
