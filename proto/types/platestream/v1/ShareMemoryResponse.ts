// Original file: proto/platestream.proto


export interface ShareMemoryResponse {
  'beginning'?: (Buffer | Uint8Array | string);
}

export interface ShareMemoryResponse__Output {
  'beginning': (Buffer);
}
