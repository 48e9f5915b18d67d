/** What goes into an ONNX graph and comes out of it. */

export type TensorData = Float32Array | Uint8Array | Uint16Array | Int32Array | BigInt64Array;
export type TensorType = "float32" | "uint8" | "uint16" | "int32" | "int64" | "float16";

export interface Tensor {
  readonly type: TensorType;
  readonly data: TensorData;
  readonly shape: readonly number[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

export const float32 = (data: Float32Array, shape: readonly number[]): Tensor => ({ type: "float32", data, shape });
