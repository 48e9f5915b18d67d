// Original file: proto/submissions.proto


export interface SubmitResponse {
  'queued'?: (number);
  'known'?: (number);
}

export interface SubmitResponse__Output {
  'queued': (number);
  'known': (number);
}
