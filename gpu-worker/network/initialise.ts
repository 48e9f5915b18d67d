/** Fresh weights, as torchvision's DenseNet starts: He initialisation (He et al. 2015, arXiv 1502.01852). */
import { uniformRandom } from "../../common/random.ts";
import { type Architecture, type Parameter, parameters, type Weights } from "./architecture.ts";

/** Box and Muller's. */
const normal = (next: () => number): (() => number) => {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
};

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Makes single parameters from one seeded stream of numbers. */
export const initialiser = (seed: number): ((parameter: Parameter) => Float32Array) => {
  const next = uniformRandom(seed);
  const gaussian = normal(next);
  return ({ name, shape, kind }) => {
    const inputs = count(shape.slice(1));
    switch (kind) {
      case "convolution": {
        const deviation = Math.sqrt(2 / inputs);
        return Float32Array.from({ length: count(shape) }, () => deviation * gaussian());
      }
      case "linear": {
        // PyTorch's default for linear layers.
        const bound = 1 / Math.sqrt(inputs);
        return Float32Array.from({ length: count(shape) }, () => bound * (2 * next() - 1));
      }
      case "scale":
        return new Float32Array(count(shape)).fill(1);
      case "statistic":
        return new Float32Array(count(shape)).fill(name.endsWith("running_var") ? 1 : 0);
      case "shift":
      case "bias":
        return new Float32Array(count(shape));
    }
  };
};

/** Weights of an untrained network: convolutions He-normal, BatchNorm the identity, biases 0. Equal seeds, equal weights. */
export const initialWeights = (architecture: Architecture, seed: number): Weights => {
  const make = initialiser(seed);
  return new Map(parameters(architecture).map((parameter) => [parameter.name, make(parameter)]));
};
