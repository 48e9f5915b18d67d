/**
 * Reads and writes safetensors: 8 bytes length (little-endian), a JSON header, the tensors' bytes.
 * Format: https://github.com/huggingface/safetensors
 */
import { z } from "zod";
import { PlatestreamError } from "./errors.ts";

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array | BigInt64Array;
}

const readers = {
  F32: (bytes: ArrayBuffer) => new Float32Array(bytes),
  F64: (bytes: ArrayBuffer) => Float32Array.from(new Float64Array(bytes)),
  F16: (bytes: ArrayBuffer) => Float32Array.from(new Uint16Array(bytes), fromHalf),
  BF16: (bytes: ArrayBuffer) => new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer),
  U8: (bytes: ArrayBuffer) => new Uint8Array(bytes),
  I64: (bytes: ArrayBuffer) => new BigInt64Array(bytes),
} satisfies Record<string, (bytes: ArrayBuffer) => StoredTensor["data"]>;

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

const tensorSchema = z.object({
  dtype: z.enum(["F32", "F64", "F16", "BF16", "U8", "I64"]),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

const widths = { F32: 4, F64: 8, F16: 2, BF16: 2, U8: 1, I64: 8 } as const;

/** Splits the bytes of the file and parses its header. */
const readHeader = (bytes: Uint8Array, invalid: (why: string) => PlatestreamError) => {
  if (bytes.byteLength < 8) throw invalid(`it holds ${bytes.byteLength} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > bytes.byteLength - 8)
    throw invalid(`its header claims ${length} bytes, the file holds ${bytes.byteLength}`);
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 8, length).toString("utf8"));
  } catch (cause) {
    throw invalid(`its header is not JSON (${(cause as Error).message})`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw invalid("its header is not a JSON object");
  }
  const { __metadata__: metadata = {}, ...tensors } = header as Record<string, unknown>;
  return { metadata: metadata as Record<string, unknown>, tensors, data: bytes.subarray(8 + length) };
};

/** The free text beside the tensors. */
export const safetensorsMetadata = (bytes: Uint8Array, source: string): Readonly<Record<string, unknown>> =>
  readHeader(bytes, (why) => new PlatestreamError("invalid-model", `${source} is not a safetensors file: ${why}`))
    .metadata;

/**
 * Reads all tensors; half precision and double become float32. Their bytes must follow each other without gap or overlap,
 * as the format says. `source` names the file in errors.
 */
export const readSafetensors = (bytes: Uint8Array, source: string): Map<string, StoredTensor> => {
  const invalid = (why: string) => new PlatestreamError("invalid-model", `${source} is not a safetensors file: ${why}`);
  const { tensors: header, data } = readHeader(bytes, invalid);
  const all = Object.entries(header).map(([name, value]) => {
    const parsed = tensorSchema.safeParse(value);
    if (!parsed.success) {
      const [{ path, message }] = parsed.error.issues as [z.core.$ZodIssue];
      throw invalid(`tensor ${name}: ${path.join(".")}: ${message}`);
    }
    return { name, ...parsed.data };
  });
  let expected = 0;
  for (const { name, dtype, shape, data_offsets } of all.toSorted((a, b) => a.data_offsets[0] - b.data_offsets[0])) {
    const [from, to] = data_offsets;
    const size = shape.reduce((product, length) => product * length, widths[dtype]);
    if (to > data.byteLength) throw invalid(`tensor ${name} ends after the end of the file (truncated?)`);
    if (to - from !== size)
      throw invalid(`tensor ${name} [${shape}] of ${dtype} takes ${size} bytes, not ${to - from}`);
    if (from !== expected)
      throw invalid(`tensor ${name} begins at byte ${from}, the one before it ends at ${expected}`);
    expected = to;
  }
  return new Map(
    all.map(({ name, dtype, shape, data_offsets: [from, to] }) => {
      const start = data.byteOffset + from;
      const own = data.buffer.slice(start, start + to - from) as ArrayBuffer;
      return [name, { shape, data: readers[dtype](own) }];
    }),
  );
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
