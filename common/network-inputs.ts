/** Whether a request's images fit the network, everything that is wrong at once and in words; and what the network reads of them. */
import { listProblems, PlatestreamError } from "./errors.ts";
import type { Images } from "./inference.ts";
import type { ModelInfo } from "./model-info.ts";

/** Throws "invalid-request" unless the images can be computed. */
export const validateImages = (
  model: ModelInfo,
  { pixels, shape, scale, offset, plates }: Images,
  maxBatch: number,
): void => {
  const problems: string[] = [];
  const [images, channels, height, width] = shape;
  if (shape.length !== 4 || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw unfitting(model, [`shape is [N, C, H, W], four positive numbers, not [${shape.join(", ")}]`]);
  }
  if (images > maxBatch) {
    problems.push(`a batch has at most ${maxBatch} images, not ${images}; send it in parts, or raise --max-batch`);
  }
  if (channels !== model.channels) problems.push(`images have ${model.channels} channels, not ${channels}`);
  if (height !== model.height || width !== model.width) {
    problems.push(
      `images are ${model.height}x${model.width} pixels (height x width), not ${height}x${width}; ` +
        "resize or crop them, as the stage decode does",
    );
  }
  const values = images * channels * height * width;
  if (pixels.length !== values) {
    const bytes = pixels.BYTES_PER_ELEMENT;
    problems.push(
      `shape [${shape.join(", ")}] at ${bytes} bytes per value needs ${values * bytes} bytes of pixels, ` +
        `there are ${pixels.byteLength}`,
    );
  }
  for (const [name, values] of [
    ["scale", scale],
    ["offset", offset],
  ] as const) {
    if (![0, channels, images * channels].includes(values.length)) {
      problems.push(
        `${name} has C = ${channels} or N*C = ${images * channels} values, or none for the model's own, not ${values.length}`,
      );
    }
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) problems.push(`${name} holds ${values[wrong]} at ${wrong}`);
  }
  if (pixels instanceof Float32Array && scale.length === 0) {
    problems.push(
      "float pixels need a `scale`, because the model's own is for grey levels: 1 per channel where they are the " +
        "network's input already, 1/255 where they are grey levels of 0 to 255",
    );
  }
  const wrong = pixels instanceof Float32Array ? pixels.findIndex((value) => !Number.isFinite(value)) : -1;
  if (wrong >= 0) problems.push(`pixels hold ${pixels[wrong]} at ${wrong}`);
  if (model.plates > 0) problems.push(...plateProblems(model, images, plates));
  if (problems.length > 0) throw unfitting(model, problems);
};

const plateProblems = (model: ModelInfo, images: number, plates: readonly number[]): string[] => {
  if (plates.length !== images) {
    return [
      `the network reads the position of every image's plate (0 to ${model.plates - 1}): ` +
        `\`plates\` has one value per image, ${images}, not ${plates.length}`,
    ];
  }
  const wrong = plates.findIndex((plate) => !(Number.isInteger(plate) && plate >= 0 && plate < model.plates));
  return wrong < 0 ? [] : [`plates are 0 to ${model.plates - 1}; image ${wrong} is on plate ${plates[wrong]}`];
};

export const unfitting = ({ name, cellType }: ModelInfo, problems: readonly string[]): PlatestreamError =>
  problems.length === 1
    ? new PlatestreamError("invalid-request", `the images do not fit ${name} ${cellType}: ${problems[0]}`)
    : new PlatestreamError("invalid-request", listProblems(`the images do not fit ${name} ${cellType}:`, problems));

/** A value per channel, or per image and channel, as one per image and channel: [N, C]. */
export const perImage = (values: readonly number[], images: number, channels: number): Float32Array =>
  Float32Array.from({ length: images * channels }, (_, index) => values[index % values.length]!);

/** [positions, length] */
export const oneHot = (positions: readonly number[], length: number): Float32Array => {
  const rows = new Float32Array(positions.length * length);
  for (const [row, position] of positions.entries()) rows[row * length + position] = 1;
  return rows;
};

/**
 * Returns the outputs. Throws "invalid-request" where one is no number: scales and statistics that are finite can still
 * lead beyond what a number holds.
 */
export const finite = <T extends Readonly<Record<string, Float32Array>>>(
  { name, cellType }: Pick<ModelInfo, "name" | "cellType">,
  outputs: T,
): T => {
  const wrong = Object.entries(outputs).find(([, values]) => !values.every(Number.isFinite));
  if (wrong === undefined) return outputs;
  throw new PlatestreamError(
    "invalid-request",
    `the ${wrong[0]} of ${name} ${cellType} are not finite: pixel * scale + offset, or the statistics, are far ` +
      "beyond what the network was trained with",
  );
};
