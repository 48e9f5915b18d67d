// Original file: proto/platestream.proto


export interface ShareMemoryRequest {
  'name'?: (string);
}

export interface ShareMemoryRequest__Output {
  'name': (string);
}
