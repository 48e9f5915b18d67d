/** Tensors on the wire: raw bytes in the order of the inputs, typed contents, or a region of shared memory. */
import type { InferTensorContents__Output } from "../../../proto/types/inference/InferTensorContents.ts";
import type {
  _inference_ModelInferRequest_InferInputTensor__Output as InputTensor,
  ModelInferRequest__Output,
} from "../../../proto/types/inference/ModelInferRequest.ts";
import type { PixelPath } from "../requests.ts";
import { invalid } from "./parameters.ts";
import type { SharedMemory } from "./shared-memory.ts";

export interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly bytes: Buffer;
  readonly path: PixelPath;
}

/** Of one value. */
const sizes: Readonly<Record<string, number>> = { UINT8: 1, UINT16: 2, INT32: 4, UINT32: 4, INT64: 8, FP32: 4 };

/** Throws "invalid-request" for the first tensor whose type, shape and bytes do not agree. */
export const readInputs = (request: ModelInferRequest__Output, memory: SharedMemory): Map<string, Input> => {
  const { inputs, raw_input_contents: raw } = request;
  const read = new Map<string, Input>();
  let next = 0;
  for (const tensor of inputs) {
    const { name, datatype, shape, parameters, contents } = tensor;
    if (read.has(name)) throw invalid(`input "${name}" is there twice`);
    const size = sizes[datatype];
    if (size === undefined || !Object.hasOwn(sizes, datatype)) {
      throw invalid(`input "${name}" has the datatype "${datatype}"; known are ${Object.keys(sizes).join(", ")}`);
    }
    if (shape.length === 0 || shape.some((each) => !Number.isSafeInteger(each) || each < 1)) {
      throw invalid(`the shape of input "${name}" is made of positive numbers, not [${shape.join(", ")}]`);
    }
    const region = memory.regionOf(parameters);
    let bytes: Buffer;
    if (region !== undefined) bytes = memory.read(region);
    else if (raw.length > 0) {
      if (contents !== null) throw invalid(`input "${name}" has contents although there are raw_input_contents`);
      if (next >= raw.length) throw invalid(`raw_input_contents has ${raw.length} entries, none for input "${name}"`);
      bytes = raw[next++]!;
    } else bytes = bytesOfContents(tensor, contents);
    const wanted = shape.reduce((product, each) => product * each, size);
    if (bytes.byteLength !== wanted) {
      throw invalid(
        `input "${name}" of ${datatype} [${shape.join(", ")}] takes ${wanted} bytes, there are ${bytes.byteLength}`,
      );
    }
    read.set(name, { name, datatype, shape, bytes, path: region === undefined ? "socket" : "shared-memory" });
  }
  if (next < raw.length) throw invalid(`raw_input_contents has ${raw.length} entries for ${next} inputs that need one`);
  return read;
};

const bytesOfContents = ({ name, datatype }: InputTensor, contents: InferTensorContents__Output | null): Buffer => {
  if (contents === null) throw invalid(`input "${name}" has no contents, and there are no raw_input_contents`);
  switch (datatype) {
    case "UINT8":
      return Buffer.from(contents.uint_contents);
    case "UINT16":
      return Buffer.from(Uint16Array.from(contents.uint_contents).buffer);
    case "UINT32":
      return Buffer.from(Uint32Array.from(contents.uint_contents).buffer);
    case "INT32":
      return Buffer.from(Int32Array.from(contents.int_contents).buffer);
    case "INT64":
      return Buffer.from(BigInt64Array.from(contents.int64_contents, BigInt).buffer);
    default:
      return Buffer.from(Float32Array.from(contents.fp32_contents).buffer);
  }
};

/** A copy, because wider values must lie at multiples of their size. */
const aligned = ({ buffer, byteOffset, byteLength }: Buffer): ArrayBuffer =>
  buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;

export const pixelsOf = ({ name, datatype, bytes }: Input): Uint8Array | Uint16Array | Float32Array => {
  if (datatype === "UINT8") return bytes;
  if (datatype === "UINT16") return new Uint16Array(aligned(bytes));
  if (datatype === "FP32") return new Float32Array(aligned(bytes));
  throw invalid(`input "${name}" is UINT8, UINT16 or FP32, not ${datatype}`);
};

export const numbersOf = ({ name, datatype, bytes }: Input): number[] => {
  switch (datatype) {
    case "FP32":
      return Array.from(new Float32Array(aligned(bytes)));
    case "INT32":
      return Array.from(new Int32Array(aligned(bytes)));
    case "UINT32":
      return Array.from(new Uint32Array(aligned(bytes)));
    case "INT64":
      return Array.from(new BigInt64Array(aligned(bytes)), Number);
    default:
      throw invalid(`input "${name}" holds numbers of FP32, INT32, UINT32 or INT64, not ${datatype}`);
  }
};

/** Texts as the protocol sends them: each behind its length. */
export const bytesOfTexts = (texts: readonly string[]): Buffer =>
  Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.byteLength);
      return [length, bytes];
    }),
  );
