// Original file: proto/submissions.proto


export interface SubmitRequest {
  'data'?: (string);
  'experiments'?: (string)[];
}

export interface SubmitRequest__Output {
  'data': (string);
  'experiments': (string)[];
}
