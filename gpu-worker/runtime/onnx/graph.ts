/** Builds ONNX models: nodes and constants go in, the bytes that a runtime loads come out. */
import protobuf from "protobufjs";
import { packageFile } from "../../../common/package-file.ts";

/** Element types by ONNX's numbers. */
export const elementTypes = { float32: 1, uint8: 2, uint16: 4, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

/** A dimension is a number, or a name where it may vary. */
export type Dimension = number | string;
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  /** A graph of its own, as loops have it. The values it needs from outside are its inputs. */
  | OnnxGraph;

/** Name of a value that a node gives or takes; opaque to callers. */
export type Value = string;

const modelType = new protobuf.Root()
  .loadSync(packageFile("gpu-worker/runtime/onnx/onnx.proto"), { keepCase: true })
  .lookupType("onnx.ModelProto");

const attribute = (name: string, value: Attribute): object => {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  if (value instanceof OnnxGraph) return { name, type: 5, g: value.message() };
  if (Array.isArray(value)) return { name, type: 7, ints: value };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 6, floats: (value as { floats: readonly number[] }).floats };
};

const valueInfo = (name: string, type: ElementType, shape: readonly Dimension[]): object => ({
  name,
  type: {
    tensor_type: {
      elem_type: elementTypes[type],
      shape: { dim: shape.map((d) => (typeof d === "number" ? { dim_value: d } : { dim_param: d })) },
    },
  },
});

/** That one step of `split` cuts. */
const mostPieces = 8;

const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export class OnnxGraph {
  readonly #name: string;
  readonly #nodes: object[] = [];
  readonly #initializers = new Map<string, object>();
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #domains = new Map([["", 17]]);
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Declares `name` as a model output; a node must give a value of that name. */
  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A float32 constant. The same name twice is the same constant. */
  constant(name: string, data: Float32Array, shape: readonly number[]): Value {
    return this.tensor(name, "float32", data, shape);
  }

  tensor(name: string, type: ElementType, data: ArrayBufferView, shape: readonly number[]): Value {
    if (!this.#initializers.has(name)) {
      this.#initializers.set(name, { name, data_type: elementTypes[type], dims: shape, raw_data: bytesOf(data) });
    }
    return name;
  }

  scalar(value: number): Value {
    return this.constant(`scalar_${value}`, Float32Array.of(value), []);
  }

  ints(...values: readonly number[]): Value {
    return this.tensor(`ints_${values.join("_")}`, "int64", BigInt64Array.from(values.map(BigInt)), [values.length]);
  }

  /** Adds a node with one output and returns it. `name` fixes the output's name. */
  node(
    op: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
    name?: string,
  ): Value {
    return this.nodes(op, inputs, attributes, [name ?? this.fresh(op)])[0]!;
  }

  /** Adds a node with the named outputs and returns them. `op` may name its domain: `com.microsoft:FusedMatMul`. */
  nodes(
    op: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly Value[],
  ): readonly Value[] {
    const [type, domain = ""] = op.split(":").reverse() as [string, string?];
    if (domain !== "") this.#domains.set(domain, 1);
    this.#nodes.push({
      op_type: type,
      domain,
      name: `${type}_${this.#nodes.length}`,
      input: [...inputs],
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return outputs;
  }

  /**
   * Cuts `value` into pieces of the given sizes along the first axis, named `names`. In steps: WebGPU's shaders write to
   * twelve buffers at most.
   */
  split(value: Value, sizes: readonly number[], names: readonly Value[]): void {
    const group =
      sizes.length <= mostPieces ? 1 : mostPieces ** Math.ceil(Math.log(sizes.length) / Math.log(mostPieces) - 1);
    const starts = Array.from({ length: Math.ceil(sizes.length / group) }, (_, index) => index * group);
    const groups = starts.map((from) => sizes.slice(from, from + group));
    const totals = groups.map((each) => each.reduce((sum, size) => sum + size, 0));
    const pieces = group === 1 ? names : starts.map(() => this.fresh("piece"));
    if (pieces.length === 1) this.node("Identity", [value], {}, pieces[0]);
    else this.nodes("Split", [value, this.ints(...totals)], { axis: 0 }, pieces);
    if (group === 1) return;
    for (const [index, each] of groups.entries()) {
      this.split(pieces[index]!, each, names.slice(starts[index]!, starts[index]! + group));
    }
  }

  /** A name that no other value has. */
  fresh(hint: string): Value {
    this.#count += 1;
    return `${hint}_${this.#count}`;
  }

  /** The graph alone, as it is nested in others. */
  message(): object {
    return {
      name: this.#name,
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: this.#inputs,
      output: this.#outputs,
    };
  }

  /** The ONNX model. */
  encode(): Uint8Array {
    const model = {
      ir_version: 8,
      producer_name: "platestream",
      opset_import: [...this.#domains].map(([domain, version]) => ({ domain, version })),
      graph: this.message(),
    };
    return modelType.encode(modelType.fromObject(model)).finish();
  }
}
