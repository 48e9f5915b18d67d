/**
 * Derivatives of the operations that the network and its losses use with TensorFlow.js. The library has them in its
 * modules for browsers; what it ships for Node leaves them out, unless it is the whole of it (tfjs-node).
 */
import type { GradConfig, NamedAttrMap, NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import type { Tf } from "../../gpu-worker/runtime/tfjs/load.ts";

type Attributes = Readonly<Record<string, unknown>>;
/** Gradients by an operation's inputs, each computed where it is asked for. */
type Gradients = Record<string, () => Tensor>;

interface Derivative {
  readonly kernel: string;
  readonly inputs: readonly string[];
  /** Its output is needed as well, behind the inputs. */
  readonly output?: true;
  readonly of: (gradient: Tensor, saved: readonly Tensor[], attributes: Attributes) => Gradients;
}

/** Summed over the axes along which values of `shape` were repeated. */
const unspread = (tf: Tf, gradient: Tensor, shape: readonly number[]): Tensor => {
  const missing = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => {
    const before = axis < missing ? 1 : shape[axis - missing]!;
    return before === 1 && (size > 1 || axis < missing) ? [axis] : [];
  });
  return tf.reshape(axes.length === 0 ? gradient : tf.sum(gradient, axes), [...shape]);
};

/** Of a sum or mean over `axis`, which is left out of the result, or a 1 in it: as large as what was summed. */
const respread = (tf: Tf, gradient: Tensor, shape: readonly number[], { axis }: Attributes): Tensor => {
  const axes = [axis ?? shape.map((_, place) => place)].flat() as number[];
  const kept = shape.map((size, place) => (axes.includes(place) ? 1 : size));
  return tf.mul(tf.reshape(gradient, kept), tf.ones([...shape]));
};

const derivatives = (tf: Tf): readonly Derivative[] => {
  const run = (kernel: string, inputs: Record<string, Tensor>, attributes: Attributes): Tensor =>
    tf.engine().runKernel(kernel, inputs as NamedTensorMap, attributes as unknown as NamedAttrMap) as Tensor;
  const both = (
    kernel: string,
    a: (gradient: Tensor, a: Tensor, b: Tensor) => Tensor,
    b: (gradient: Tensor, a: Tensor, b: Tensor) => Tensor,
  ): Derivative => ({
    kernel,
    inputs: ["a", "b"],
    of: (gradient, [left, right]) => ({
      a: () => unspread(tf, a(gradient, left!, right!), left!.shape),
      b: () => unspread(tf, b(gradient, left!, right!), right!.shape),
    }),
  });
  const one = (kernel: string, x: (gradient: Tensor, x: Tensor, attributes: Attributes) => Tensor): Derivative => ({
    kernel,
    inputs: ["x"],
    of: (gradient, [saved], attributes) => ({ x: () => x(gradient, saved!, attributes) }),
  });
  const atLeast = (gradient: Tensor, a: Tensor, b: Tensor) =>
    tf.mul(gradient, tf.cast(tf.greaterEqual(a, b), "float32"));
  return [
    both(
      "Add",
      (gradient) => gradient,
      (gradient) => gradient,
    ),
    both("Sub", (gradient) => gradient, tf.neg),
    both(
      "Multiply",
      (gradient, _, b) => tf.mul(gradient, b),
      (gradient, a) => tf.mul(gradient, a),
    ),
    both(
      "RealDiv",
      (gradient, _, b) => tf.div(gradient, b),
      (gradient, a, b) => tf.neg(tf.div(tf.mul(gradient, a), tf.square(b))),
    ),
    both("Maximum", atLeast, (gradient, a, b) => tf.mul(gradient, tf.cast(tf.less(a, b), "float32"))),
    one("Square", (gradient, x) => tf.mul(gradient, tf.mul(x, 2))),
    one("Sqrt", (gradient, x) => tf.div(gradient, tf.mul(tf.sqrt(x), 2))),
    one("Relu", (gradient, x) => tf.mul(gradient, tf.step(x))),
    one("Softplus", (gradient, x) => tf.mul(gradient, tf.sigmoid(x))),
    one("Cast", (gradient, x) => tf.cast(gradient, x.dtype)),
    one("Identity", (gradient) => gradient),
    one("Reshape", (gradient, x) => tf.reshape(gradient, x.shape)),
    one("Sum", (gradient, x, attributes) => respread(tf, gradient, x.shape, attributes)),
    one("Mean", (gradient, x, attributes) =>
      tf.mul(respread(tf, gradient, x.shape, attributes), gradient.size / x.size),
    ),
    one("AvgPool", (dy, input, attributes) => run("AvgPoolGrad", { dy, input }, attributes)),
    {
      kernel: "MaxPool",
      inputs: ["x"],
      output: true,
      of: (dy, [input, output], attributes) => ({
        x: () => run("MaxPoolGrad", { dy, input: input!, output: output! }, attributes),
      }),
    },
    {
      kernel: "Conv2D",
      inputs: ["x", "filter"],
      of: (dy, [x, filter], attributes) => ({
        x: () => run("Conv2DBackpropInput", { dy, filter: filter! }, { ...attributes, inputShape: x!.shape }),
        filter: () => run("Conv2DBackpropFilter", { x: x!, dy }, { ...attributes, filterShape: filter!.shape }),
      }),
    },
    {
      kernel: "BatchMatMul",
      inputs: ["a", "b"],
      of: (gradient, [a, b], { transposeB }) => ({
        a: () => tf.matMul(gradient, b!, false, transposeB !== true),
        b: () => (transposeB === true ? tf.matMul(gradient, a!, true) : tf.matMul(a!, gradient, true)),
      }),
    },
  ];
};

/** Of parts joined along an axis: the parts of the gradient. */
const concat = (tf: Tf): GradConfig => ({
  kernelName: "Concat",
  saveAllInputs: true,
  gradFunc(gradient, saved, { axis }) {
    const sizes = saved.map(({ shape }) => shape[axis as number]!);
    const parts = tf.split(gradient as Tensor, sizes, axis as number);
    return Object.fromEntries(parts.map((part, index) => [String(index), () => part]));
  },
});

/** From now on the library can differentiate the network. What it brings itself stays. */
export const registerDerivatives = (tf: Tf): void => {
  const own = derivatives(tf).map(
    ({ kernel, inputs, output = false, of }): GradConfig => ({
      kernelName: kernel,
      inputsToSave: [...inputs],
      ...(output ? { outputsToSave: [true] } : {}),
      gradFunc: (gradient, saved, attributes) => of(gradient as Tensor, saved, attributes as unknown as Attributes),
    }),
  );
  for (const config of [...own, concat(tf)]) {
    if (tf.getGradient(config.kernelName) === undefined) tf.registerGradient(config);
  }
};
