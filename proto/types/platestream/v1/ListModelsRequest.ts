// Original file: proto/platestream.proto


export interface ListModelsRequest {
}

export interface ListModelsRequest__Output {
}
