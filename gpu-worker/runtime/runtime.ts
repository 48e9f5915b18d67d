/** What computes a network. One implementation per library; the rest of the worker sees only this. */

export type TensorData = Float32Array | Uint8Array | Uint16Array | Int32Array | BigInt64Array;
export type TensorType = "float32" | "uint8" | "uint16" | "int32" | "int64" | "float16";

export interface Tensor {
  readonly type: TensorType;
  readonly data: TensorData;
  readonly shape: readonly number[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** A loaded network. `run` blocks the thread that calls it for as long as the network computes. */
export interface Session {
  /** Computes the named outputs; all of them when none are named. */
  run(inputs: Tensors, outputs?: readonly string[]): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** Threads that one operation is spread over. 0: one per core. */
  readonly threads: number;
  /** The graph is written for this runtime as it should run (`Runtime.block`): load it as it is, which is faster. */
  readonly unoptimized?: boolean;
  /** Allocates as the operations run, not a second time in one piece: half the memory of a graph with large values. */
  readonly unplannedMemory?: boolean;
}

export interface Runtime {
  readonly name: string;
  /** What computes, for instance `cpu` or `cuda`. */
  readonly provider: string;
  /**
   * How many channels lie side by side where the provider has a memory layout of its own in which networks should be
   * written for it (`emitNetwork`); 1: none.
   */
  block(): Promise<number>;
  /** Loads an ONNX model from its bytes. */
  load(model: Uint8Array, options: SessionOptions): Promise<Session>;
}

export const float32 = (data: Float32Array, shape: readonly number[]): Tensor => ({ type: "float32", data, shape });
