import assert from "node:assert/strict";
import { test } from "node:test";
import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../../common/safetensors.ts";

const file = (header: string, data: number): Uint8Array => {
  const text = Buffer.from(header);
  const bytes = new Uint8Array(8 + text.byteLength + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.byteLength), true);
  bytes.set(text, 8);
  return bytes;
};

test("safetensors - what was written is read, metadata too", () => {
  const tensors = new Map([
    ["a", { shape: [2], data: Float32Array.of(1, 2) }],
    ["b", { shape: [3], data: Uint8Array.of(1, 2, 3) }],
  ]);
  const bytes = writeSafetensors(tensors, { made: "here" });
  assert.deepEqual(readSafetensors(bytes, "x"), tensors);
  assert.deepEqual(safetensorsMetadata(bytes, "x"), { made: "here" });
});

const bad: Readonly<Record<string, readonly [bytes: Uint8Array, says: RegExp]>> = {
  "too short": [Uint8Array.of(1), /it holds 1 bytes/],
  "a header longer than the file": [file("{}", 0).fill(255, 0, 7), /its header claims/],
  "no JSON": [file("{", 0), /its header is not JSON/],
  null: [file("null", 0), /its header is not a JSON object/],
  "a list": [file("[]", 0), /its header is not a JSON object/],
  "no offsets": [file('{"a":{"dtype":"F32","shape":[1]}}', 4), /tensor a: data_offsets/],
  "a tensor that is null": [file('{"a":null}', 4), /tensor a/],
  "a type of the prototype": [
    file('{"a":{"dtype":"__proto__","shape":[1],"data_offsets":[0,4]}}', 4),
    /tensor a: dtype/,
  ],
  "an odd length": [file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}}', 3), /takes 4 bytes, not 3/],
  "fewer values than the shape": [
    file('{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}', 4),
    /takes 36 bytes, not 4/,
  ],
  "an end beyond the file": [file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 4), /ends after the end/],
  overlap: [
    file(
      '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
      6,
    ),
    /tensor b begins at byte 2, the one before it ends at 4/,
  ],
};

for (const [what, [bytes, says]] of Object.entries(bad)) {
  test(`safetensors - ${what} is refused by name`, () => {
    assert.throws(() => readSafetensors(bytes, "x.safetensors"), { code: "invalid-model", message: says });
  });
}
