/**
 * Reads and writes safetensors: 8 bytes length (little-endian), a JSON header, the tensors' bytes.
 * Format: https://github.com/huggingface/safetensors
 */
import { PlatestreamError } from "./errors.ts";

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array | BigInt64Array;
}

const readers: Record<string, (bytes: ArrayBuffer) => StoredTensor["data"]> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => Float32Array.from(new Float64Array(bytes)),
  F16: (bytes) => Float32Array.from(new Uint16Array(bytes), fromHalf),
  BF16: (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer),
  U8: (bytes) => new Uint8Array(bytes),
  I64: (bytes) => new BigInt64Array(bytes),
};

const fromHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
};

const names = (data: StoredTensor["data"]): string =>
  data instanceof Float32Array ? "F32" : data instanceof Uint8Array ? "U8" : "I64";

interface Header {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/** Reads all tensors; half precision and double become float32. `source` names the file in errors. */
export const readSafetensors = (bytes: Uint8Array, source: string): Map<string, StoredTensor> => {
  const invalid = (why: string) => new PlatestreamError("invalid-model", `${source} is no safetensors file: ${why}`);
  if (bytes.byteLength < 8) throw invalid(`it holds ${bytes.byteLength} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > bytes.byteLength - 8)
    throw invalid(`its header claims ${length} bytes, the file holds ${bytes.byteLength}`);
  let header: Record<string, Header>;
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 8, length).toString("utf8"));
  } catch (cause) {
    throw invalid(`its header is not JSON (${(cause as Error).message})`);
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const read = readers[dtype];
    if (read === undefined)
      throw invalid(`tensor ${name} has type ${dtype}; known are ${Object.keys(readers).join(", ")}`);
    const [from, to] = data_offsets;
    if (8 + length + to > bytes.byteLength) throw invalid(`tensor ${name} ends after the end of the file (truncated?)`);
    const start = bytes.byteOffset + 8 + length;
    tensors.set(name, { shape, data: read(bytes.buffer.slice(start + from, start + to) as ArrayBuffer) });
  }
  return tensors;
};

/** Writes tensors in the given order; equal tensors give equal bytes. */
export const writeSafetensors = (
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: names(data), shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8, " "));
  const bytes = new Uint8Array(8 + text.byteLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.byteLength), true);
  bytes.set(text, 8);
  let at = 8 + text.byteLength;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
};
