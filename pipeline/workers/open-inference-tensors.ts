/** Tensors in messages of the Open Inference Protocol: raw bytes go out, raw or typed contents come back. */
import { PlatestreamError } from "../../common/errors.ts";
import type { ModelInferRequest } from "../../proto/types/inference/ModelInferRequest.ts";
import type { ModelInferResponse__Output } from "../../proto/types/inference/ModelInferResponse.ts";

export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array | Uint16Array | Float32Array;
}

const datatypeOf = (data: Tensor["data"]): string =>
  data instanceof Uint8Array ? "UINT8" : data instanceof Uint16Array ? "UINT16" : "FP32";

export const inferMessage = (
  model: string,
  inputs: readonly Tensor[],
  outputs: readonly string[],
): ModelInferRequest => ({
  model_name: model,
  inputs: inputs.map(({ name, shape, data }) => ({ name, datatype: datatypeOf(data), shape: [...shape] })),
  raw_input_contents: inputs.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  outputs: outputs.map((name) => ({ name })),
});

/** Reads an answer. All methods throw "internal" where an output is not there, or is not of that type and size. */
export const answeredTensors = (answer: ModelInferResponse__Output, where: string) => {
  const { outputs, raw_output_contents: raw } = answer;
  const wrong = (why: string) => new PlatestreamError("internal", `${where} answered ${why}`);
  const read = (name: string, datatype: string): Buffer | readonly number[] => {
    const at = outputs.findIndex((output) => output.name === name);
    const output = outputs[at];
    if (output === undefined) throw wrong(`without the output "${name}"`);
    if (output.datatype !== datatype) throw wrong(`"${name}" as ${output.datatype}, not ${datatype}`);
    if (raw.length > 0) {
      const bytes = raw[at];
      if (bytes === undefined) throw wrong(`${raw.length} raw contents for ${outputs.length} outputs`);
      return bytes;
    }
    const { contents } = output;
    if (contents === null) throw wrong(`"${name}" without contents`);
    return datatype === "FP32" ? contents.fp32_contents : contents.uint_contents;
  };
  const sized = <T extends { readonly length: number }>(name: string, values: T, length: number): T => {
    if (values.length === length) return values;
    throw wrong(`${values.length} values of "${name}", not ${length}`);
  };
  return {
    floats(name: string, length: number): Float32Array {
      const values = read(name, "FP32");
      if (!Buffer.isBuffer(values)) return sized(name, Float32Array.from(values), length);
      // A copy: the bytes of a message need not lie where float32 values may.
      const { buffer, byteOffset, byteLength } = values;
      if (byteLength !== 4 * length) throw wrong(`${byteLength} bytes of "${name}", not ${4 * length}`);
      return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    },
    bytes: (name: string): Uint8Array => Uint8Array.from(read(name, "UINT8")),
  };
};
