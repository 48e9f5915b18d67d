// Original file: proto/platestream.proto


export interface _platestream_v1_Statistics_Batch {
}

export interface _platestream_v1_Statistics_Batch__Output {
}

export interface _platestream_v1_Statistics_Calibrated {
  'id'?: (string);
  'data'?: (Buffer | Uint8Array | string);
}

export interface _platestream_v1_Statistics_Calibrated__Output {
  'id': (string);
  'data': (Buffer);
}

export interface _platestream_v1_Statistics_Running {
}

export interface _platestream_v1_Statistics_Running__Output {
}

export interface Statistics {
  'running'?: (_platestream_v1_Statistics_Running | null);
  'batch'?: (_platestream_v1_Statistics_Batch | null);
  'calibrated'?: (_platestream_v1_Statistics_Calibrated | null);
  'kind'?: "running"|"batch"|"calibrated";
}

export interface Statistics__Output {
  'running'?: (_platestream_v1_Statistics_Running__Output | null);
  'batch'?: (_platestream_v1_Statistics_Batch__Output | null);
  'calibrated'?: (_platestream_v1_Statistics_Calibrated__Output | null);
  'kind'?: "running"|"batch"|"calibrated";
}
