/** One network as it learns: micro-batches in, losses out, an update after as many of them as the caller likes. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Tensors } from "../../gpu-worker/runtime/onnx/tensor.ts";
import type { GraphOptions } from "../gradients/graphs.ts";
import type { PixelType } from "../gradients/inputs.ts";
import { type AdamOptions, type AdamState, adamState, adamUpdate, type Span } from "./adam.ts";
import { type FlatNetwork, flatIndex, type Slot } from "./flat.ts";
import { freshLossScale, type LossScale, nextLossScale } from "./loss-scale.ts";
import type { OpenTask, TrainingRuntime, TrainingTask } from "./training-runtime.ts";

/** Images as the network reads them: pixel * scale + offset. */
export interface Images {
  /** [N, C, H, W] */
  readonly pixels: Uint8Array | Uint16Array;
  /** [N, C] */
  readonly scale: Float32Array;
  /** [N, C] */
  readonly offset: Float32Array;
  /** [N, plates] one-hot; empty for networks without a plate input. */
  readonly plate: Float32Array;
}

export interface LabelledImages extends Images {
  /** [N, K] */
  readonly target: Float32Array;
}

/** Everything that the next step depends on: written to a checkpoint, read back to go on. */
export interface LearnerState {
  readonly network: FlatNetwork;
  readonly adam: AdamState;
  readonly lossScale: LossScale;
  /** Moving average of the weights; empty where none is kept. */
  readonly average: Float32Array;
}

export interface LearnerOptions extends GraphOptions {
  /** `head`: the classifier alone. */
  readonly learns: "network" | "head";
  /** Height and width of the images that are learnt from, where they differ from the architecture's. */
  readonly crop?: readonly [height: number, width: number] | undefined;
  /** Images of a batch of `measure` and `predict`. */
  readonly evaluationImages: number;
  readonly optimiser: AdamOptions;
  /** Share that the moving average of the weights keeps per step; 0: none. It is what is measured and predicts. */
  readonly averaging: number;
  /** Losses of a step are divided by this: 1 adds up the gradients of the micro-batches, their number averages them. */
  readonly divisor: number;
  readonly threads: number;
}

export interface Learner {
  /** Adds the gradient of one micro-batch, moves the running statistics, returns the loss. */
  accumulate(batch: LabelledImages): Promise<number>;
  /** One update from what was accumulated. False where an overflow in half precision made the step void. */
  update(rate: number): Promise<boolean>;
  /** A copy. */
  state(): Promise<LearnerState>;
  /** Batch statistics: means and unbiased variances of all BatchNorm layers. */
  measure(images: Images): Promise<{ means: Float32Array; variances: Float32Array }>;
  predict(
    images: Images,
    statistics: Pick<FlatNetwork, "means" | "variances">,
  ): Promise<{ logits: Float32Array; features: Float32Array }>;
  close(): Promise<void>;
}

const pixelType = (pixels: Images["pixels"]): PixelType => (pixels instanceof Uint8Array ? "uint8" : "uint16");

/** Share of a new batch in the running statistics, as in PyTorch. */
const momentum = 0.1;

const blend = (running: Float32Array, batch: Float32Array): void => {
  for (let i = 0; i < running.length; i++)
    if (Number.isFinite(batch[i]!)) running[i] = (1 - momentum) * running[i]! + momentum * batch[i]!;
};

/** Neighbouring slots as one span. */
const spansOf = (slots: readonly Slot[]): Span[] => {
  const spans: { offset: number; length: number }[] = [];
  for (const { offset, length } of slots) {
    const last = spans.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else spans.push({ offset, length });
  }
  return spans;
};

/** Throws "invalid-config" where the provider cannot compute in the precision asked for. */
const checkPrecision = ({ provider }: TrainingRuntime, { precision }: GraphOptions): void => {
  if (precision === "float16" && provider === "cpu")
    throw new PlatestreamError(
      "invalid-config",
      'mixed precision needs a provider with half-precision arithmetic, got "cpu"; ' +
        "set precision to float32 in the recipe, or train on cuda or webgpu",
    );
};

/** Tasks are opened when they are first needed. `network` is learnt in place. */
export const openLearner = (
  runtime: TrainingRuntime,
  options: LearnerOptions,
  network: FlatNetwork,
  resumed?: Omit<LearnerState, "network">,
): Learner => {
  checkPrecision(runtime, options);
  const { architecture, optimiser, divisor, crop } = options;
  const { channels, plates, classes } = architecture;
  const learns = (name: string) => options.learns === "network" || name.startsWith("classifier.");
  const training: GraphOptions =
    crop === undefined ? options : { ...options, architecture: { ...architecture, height: crop[0], width: crop[1] } };
  const evaluation: GraphOptions = { ...options, images: options.evaluationImages, precision: "float32" };
  const index = flatIndex(architecture);
  const slots = index.slots.filter(({ name }) => learns(name));
  const spans = spansOf(slots);
  const length = slots.reduce((sum, slot) => sum + slot.length, 0);
  const gradient = new Float32Array(length);
  const adam = resumed?.adam ?? adamState(length, optimiser);
  let lossScale = resumed?.lossScale ?? freshLossScale(options.precision);
  const { averaging } = options;
  const average = averaging === 0 ? new Float32Array() : (resumed?.average ?? network.weights.slice());

  const tasks = new Map<string, Promise<OpenTask>>();
  const taskFor = (task: TrainingTask, of: GraphOptions, { pixels }: Images): Promise<OpenTask> => {
    const name = `${task} ${pixelType(pixels)}`;
    const opened = tasks.get(name) ?? runtime.open(task, { ...of, pixels: pixelType(pixels) }, learns);
    tasks.set(name, opened);
    return opened;
  };

  const float = (data: Float32Array, ...shape: number[]) => ({ type: "float32" as const, data, shape });
  const inputs = (
    { pixels, scale, offset, plate }: Images,
    { images: count, architecture: { height, width } }: GraphOptions,
    withPlates: boolean,
    weights = network.weights,
  ): Tensors => ({
    pixels: { type: pixelType(pixels), data: pixels, shape: [count, channels, height, width] },
    scale: float(scale, count, channels),
    offset: float(offset, count, channels),
    weights: float(weights, index.length),
    ...(plates > 0 && withPlates ? { plate: float(plate, count, plates) } : {}),
  });

  const judged = averaging === 0 ? network.weights : average;

  return {
    async state() {
      return structuredClone({ network, adam, lossScale, average });
    },

    async accumulate(batch) {
      const train = await taskFor("train", training, batch);
      const results = await train.run({
        ...inputs(batch, training, true),
        target: float(batch.target, options.images, classes),
        loss_scale: float(Float32Array.of(lossScale.scale)),
      });
      const fresh = results.gradient!.data as Float32Array;
      const unscale = 1 / (lossScale.scale * divisor);
      for (let i = 0; i < length; i++) gradient[i] = gradient[i]! + fresh[i]! * unscale;
      blend(network.means, results.means!.data as Float32Array);
      blend(network.variances, results.variances!.data as Float32Array);
      return (results.loss!.data as Float32Array)[0]!;
    },

    async update(rate) {
      const finite = options.precision === "float32" || gradient.every(Number.isFinite);
      if (finite) adamUpdate(network.weights, gradient, adam, spans, rate, optimiser);
      const keep = Math.min(averaging, (1 + adam.steps) / (10 + adam.steps)); // short while there is little to average
      for (let i = 0; i < average.length; i++) average[i] = keep * average[i]! + (1 - keep) * network.weights[i]!;
      lossScale = nextLossScale(lossScale, options.precision, finite);
      gradient.fill(0);
      return finite;
    },

    async measure(images) {
      const measure = await taskFor("measure", evaluation, images);
      const { means, variances } = await measure.run(inputs(images, evaluation, false, judged));
      return { means: means!.data as Float32Array, variances: variances!.data as Float32Array };
    },

    async predict(images, { means, variances }) {
      const predict = await taskFor("predict", evaluation, images);
      const { logits, features } = await predict.run({
        ...inputs(images, evaluation, true, judged),
        means: float(means, index.normLength),
        variances: float(variances, index.normLength),
      });
      return { logits: logits!.data as Float32Array, features: features!.data as Float32Array };
    },

    async close() {
      for (const open of tasks.values()) await (await open).close();
    },
  };
};
