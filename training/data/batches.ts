/** Micro-batches as arrays: pictures in random views, their targets, and what MixUp makes of both. */
import { PlatestreamError } from "../../common/errors.ts";
import type { Architecture } from "../../gpu-worker/network/architecture.ts";
import type { Affine } from "../../screen/site-image.ts";
import { momentsOf, standardise } from "../../screen/standardise.ts";
import { writeView } from "../../screen/views.ts";
import type { Images, LabelledImages } from "../learner/learner.ts";
import type { Recipe, Stage } from "../loop/recipe.ts";
import { betaDraw, drawView, mixRows, type ViewOptions } from "./augment.ts";
import { pasteBoxes } from "./cutmix.ts";
import type { Picture, Pictures, Usable } from "./pictures.ts";
import { batchRandom, type MicroBatch, type Sample } from "./samples.ts";
import { bend, normalDraw, writeWarped } from "./warp.ts";

/** Scale and offset of every channel: the recipe's scale, or what gives the picture zero mean and unit deviation. */
const affineOf = (picture: Picture, { normalize, pixelScale }: Recipe): Affine => {
  if (normalize === "image") return standardise([momentsOf(picture)]);
  const { channels } = picture;
  return { scale: new Array(channels).fill(pixelScale), offset: new Array(channels).fill(0) };
};

interface Place {
  readonly architecture: Architecture;
  readonly recipe: Recipe;
}

/** Pixels of the type that the pictures have. */
const emptyImages = (loaded: readonly Usable[], { channels, height, width, plates }: Architecture): Images => {
  const images = loaded.length;
  const Pixels = loaded[0]!.picture.pixels instanceof Uint8Array ? Uint8Array : Uint16Array;
  return {
    pixels: new Pixels(images * channels * height * width),
    scale: new Float32Array(images * channels),
    offset: new Float32Array(images * channels),
    plate: new Float32Array(images * plates),
  };
};

const describe = (into: Images, i: number, sample: Sample, picture: Picture, { architecture, recipe }: Place): void => {
  const { channels, plates } = architecture;
  const { scale, offset } = affineOf(picture, recipe);
  into.scale.set(scale, i * channels);
  into.offset.set(offset, i * channels);
  if (plates > 0) into.plate[i * plates + (sample.plate % plates)] = 1;
};

const checkSize = ({ channels, height, width }: Picture, { site }: Sample, expected: Architecture): void => {
  if (channels === expected.channels && height === expected.height && width === expected.width) return;
  const size = (c: number, h: number, w: number) => `${c} channels of ${w}x${h}`;
  throw new PlatestreamError(
    "invalid-data",
    `all images must have one size: ${site.experiment} plate ${site.plate} ${site.well} site ${site.site} has ` +
      `${size(channels, height, width)}, the first image ${size(expected.channels, expected.height, expected.width)}`,
  );
};

export interface PlainImages extends Images {
  /** What every image shows; not the sample that was asked for where that cannot be read. */
  readonly samples: readonly Sample[];
}

/** Pictures as they are, without labels: for statistics and predictions. */
export const plainImages = async (
  wanted: readonly Sample[],
  pictures: Pictures,
  place: Place,
): Promise<PlainImages> => {
  const { architecture } = place;
  const size = architecture.channels * architecture.height * architecture.width;
  const loaded = await pictures.loadUsable(wanted);
  const images = emptyImages(loaded, architecture);
  loaded.forEach(({ picture, sample }, i) => {
    checkSize(picture, sample, architecture);
    images.pixels.set(picture.pixels, i * size);
    describe(images, i, sample, picture, place);
  });
  return { ...images, samples: loaded.map(({ sample }) => sample) };
};

export interface TrainingBatch extends LabelledImages {
  readonly domain: string;
}

/** One micro-batch, as a function of the recipe's seed, the stage, the epoch and its number. */
export const trainingBatch = async (
  { domain, samples }: MicroBatch,
  at: Pick<Stage, "mixup" | "cutmix"> & { readonly stage: string; readonly epoch: number; readonly batch: number },
  classes: ReadonlyMap<string, number>,
  pictures: Pictures,
  place: Place,
): Promise<TrainingBatch> => {
  const { architecture, recipe } = place;
  const { channels, height, width } = architecture;
  const [cropHeight, cropWidth] = cropOf(recipe, architecture) ?? [height, width];
  const options = { height, width, cropHeight, cropWidth, augment: recipe.augment };
  const random = batchRandom(recipe.seed, at.stage, at.epoch, at.batch);
  const loaded = await pictures.loadUsable(samples);
  const images = emptyImages(loaded, { ...architecture, height: cropHeight, width: cropWidth });
  const target = new Float32Array(samples.length * classes.size);
  loaded.forEach(({ picture, sample }, i) => {
    checkSize(picture, sample, architecture);
    writePicture(images.pixels, i * channels * cropHeight * cropWidth, picture.pixels, random, options);
    describe(images, i, sample, picture, place);
    changeLevels(images, i, random, { channels, area: cropHeight * cropWidth, augment: recipe.augment });
    if (sample.shares === undefined) target[i * classes.size + classes.get(sample.treatment)!] = 1;
    else target.set(sample.shares, i * classes.size);
  });
  if (at.mixup === 0 && at.cutmix === 0) return { ...images, target, domain };
  const share = betaDraw(random, at.mixup === 0 ? at.cutmix : at.mixup);
  const turn = 1 + Math.floor(random() * Math.max(samples.length - 1, 1)); // samples are in random order already
  const partners = samples.map((_, i) => (i + turn) % samples.length);
  if (at.cutmix > 0) {
    const frame = { channels, height: cropHeight, width: cropWidth };
    return { ...images, ...pasteBoxes(images, target, partners, share, random, frame), domain };
  }
  const mix = <T extends Uint8Array | Uint16Array | Float32Array>(rows: T) => mixRows(rows, partners, share);
  return {
    pixels: mix(images.pixels),
    scale: mix(images.scale),
    offset: mix(images.offset),
    plate: mix(images.plate),
    target: mix(target),
    domain,
  };
};

/** A random view: quarter turns and mirroring move pixels as they are; other turns and zooms interpolate. */
const writePicture = (
  target: Picture["pixels"],
  at: number,
  source: Picture["pixels"],
  random: () => number,
  options: ViewOptions & { readonly augment: Recipe["augment"] },
): void => {
  const { rotate, zoom, hflip, vflip } = options.augment;
  if (!rotate && zoom === 0) {
    writeView(target, at, source, drawView(random, options), options);
    return;
  }
  const { height, width, cropHeight, cropWidth } = options;
  const centre = (size: number, crop: number) => size / 2 - 0.5 + (random() - 0.5) * (size - crop);
  const turn = random();
  const warp = {
    angle: rotate ? 2 * Math.PI * turn : options.augment.rot90 ? (Math.PI / 2) * Math.floor(4 * turn) : 0,
    zoom: (1 + zoom) ** (2 * random() - 1),
    hflip: random() < 0.5 && (hflip || vflip),
    centreY: centre(height, cropHeight),
    centreX: centre(width, cropWidth),
  };
  writeWarped(target, at, source, warp, options);
};

/** Random gain, offset and gamma of every channel of image `i`; gain and offset are changes of its affine. */
const changeLevels = (
  images: Images,
  i: number,
  random: () => number,
  {
    channels,
    area,
    augment,
  }: { readonly channels: number; readonly area: number; readonly augment: Recipe["augment"] },
): void => {
  const { gain, offset, gamma } = augment;
  if (gain === 0 && offset === 0 && gamma === 0) return;
  const white = images.pixels instanceof Uint8Array ? 255 : 65535;
  for (let at = i * channels; at < (i + 1) * channels; at++) {
    const [g, o, p] = [normalDraw(random), normalDraw(random), normalDraw(random)];
    if (gamma > 0) bend(images.pixels, at * area, area, Math.exp(gamma * p), white);
    const whole = white * images.scale[at]!;
    images.scale[at]! *= Math.exp(gain * g);
    images.offset[at]! += offset * o * whole;
  }
};

/** Height and width of the crops; undefined where whole images are learnt from. */
export const cropOf = ({ crop }: Recipe, { height, width }: Architecture): [number, number] | undefined =>
  crop === undefined || (crop >= height && crop >= width) ? undefined : [Math.min(crop, height), Math.min(crop, width)];
