/** Whether a request's images fit the network: everything that is wrong, at once and in words. */
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import type { Images } from "../../common/inference.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { lastMaps } from "../network/architecture.ts";
import type { Served } from "./served.ts";

/** Throws "invalid-request" unless the images can be computed. */
export const validateImages = (
  model: ModelInfo,
  { pixels, shape, scale, offset, plates }: Images,
  maxBatch: number,
): void => {
  const problems: string[] = [];
  const [images, channels, height, width] = shape;
  if (shape.length !== 4 || shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw invalid(model, [`shape is [N, C, H, W], four positive numbers, not [${shape.join(", ")}]`]);
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
  if (problems.length > 0) throw invalid(model, problems);
};

/** Throws "invalid-request" where a layer would normalise single values, which leaves nothing of them. */
export const validateSpread = ({ model, network }: Served, { shape: [images, , height, width] }: Images): void => {
  const { architecture } = network;
  if (images * lastMaps(height, architecture) * lastMaps(width, architecture) > 1) return;
  throw invalid(model, [
    `the last feature maps of a ${height}x${width} image are single values, and statistics of one value are none: ` +
      "send at least 2 images, or use calibrated or running statistics",
  ]);
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

const invalid = ({ name, cellType }: ModelInfo, problems: readonly string[]): PlatestreamError =>
  problems.length === 1
    ? new PlatestreamError("invalid-request", `the images do not fit ${name} ${cellType}: ${problems[0]}`)
    : new PlatestreamError("invalid-request", listProblems(`the images do not fit ${name} ${cellType}:`, problems));
