/** Draws a field of cells as six stains would show it, before any microscope. */
import { channelCount } from "./effects.ts";
import type { CellParameters } from "./phenotype.ts";
import type { RandomStream } from "./random.ts";
import { drawTexture } from "./texture.ts";

/** Mean number of plain cells in a field of 64x64 pixels at scale 1. */
const cellsPerField = 10;
/** Cells are also placed this far outside of the field, in pixels at scale 1, for those that stand half in it. */
const margin = 6;
/** Beyond this distance from its centre, in radii, nothing is drawn of a cell (a nucleus). */
const reach = 2.1;

interface Cell {
  readonly x: number;
  readonly y: number;
  readonly cos: number;
  readonly sin: number;
  /** Square root of the nucleus' ratio of axes; the cell body's own is the root of that. */
  readonly elongation: number;
  readonly nucleusRadius: number;
  readonly radius: number;
  /** Brightness in each of the stains. */
  readonly brightness: readonly number[];
  readonly fibrePhase: number;
}

/** Buffers for fields of one size, used again for every image. */
export interface Canvas {
  readonly size: number;
  /** [6, size, size] */
  readonly stains: Float32Array;
  /** Distance to the nearest and to the second nearest cell, in their radii. */
  readonly nearest: Float32Array;
  readonly second: Float32Array;
  readonly owner: Int32Array;
  /** The same for nuclei. */
  readonly nucleus: Float32Array;
  readonly nucleusOwner: Int32Array;
  readonly nucleoli: Float32Array;
  readonly golgi: Float32Array;
  readonly textures: readonly Float32Array[];
}

export const createCanvas = (size: number): Canvas => {
  const plane = () => new Float32Array(size * size);
  return {
    size,
    stains: new Float32Array(channelCount * size * size),
    nearest: plane(),
    second: plane(),
    owner: new Int32Array(size * size),
    nucleus: plane(),
    nucleusOwner: new Int32Array(size * size),
    nucleoli: plane(),
    golgi: plane(),
    textures: [plane(), plane(), plane(), plane()],
  };
};

/** Fills `canvas.stains`: nuclei, endoplasmic reticulum, actin, nucleoli and RNA, mitochondria, Golgi and membrane. */
export const drawCells = (random: RandomStream, p: CellParameters, scale: number, canvas: Canvas): void => {
  const cells = placeCells(random, p, scale, canvas.size);
  measureDistances(cells, canvas);
  drawSpots(random, p, cells, canvas);
  const [chromatin, reticulum, mitochondria, golgi] = canvas.textures as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  drawTexture(random, 0.16 / scale, canvas.size, chromatin);
  drawTexture(random, p.erFrequency, canvas.size, reticulum);
  drawTexture(random, p.mitochondriaFrequency, canvas.size, mitochondria);
  drawTexture(random, 0.22 / scale, canvas.size, golgi);
  stain(p, cells, canvas);
};

/** Cells keep a distance from each other, so a dense field holds fewer than were drawn. */
const placeCells = (random: RandomStream, p: CellParameters, scale: number, size: number): Cell[] => {
  const border = margin * scale;
  const extent = size + 2 * border;
  const mean = cellsPerField * p.density * (extent / (64 * scale)) ** 2;
  const wanted = Math.max(2, random.poisson(mean));
  const apart = (1.15 * p.cellRadius) ** 2 * 0.9;
  const cells: Cell[] = [];
  for (let tried = 0; tried < 4 * wanted && cells.length < wanted; tried++) {
    const x = random.uniform() * extent - border;
    const y = random.uniform() * extent - border;
    if (cells.some((other) => (x - other.x) ** 2 + (y - other.y) ** 2 <= apart)) continue;
    const angle = random.between(0, Math.PI);
    const ratio = p.nucleusEccentricity * Math.exp(0.08 * random.normal());
    cells.push({
      x,
      y,
      cos: Math.cos(angle),
      sin: Math.sin(angle),
      elongation: Math.sqrt(Math.min(2.5, Math.max(1, ratio))),
      nucleusRadius: p.nucleusRadius * Math.exp(0.1 * random.normal()),
      radius: p.cellRadius * Math.exp(0.1 * random.normal()),
      brightness: Array.from({ length: channelCount }, () => Math.exp(0.15 * random.normal())),
      fibrePhase: random.between(0, 2 * Math.PI),
    });
  }
  return cells;
};

/** Only the pixels around a cell are visited: the time grows with the cells, not with cells times pixels. */
const measureDistances = (cells: readonly Cell[], canvas: Canvas): void => {
  const { size, nearest, second, owner, nucleus, nucleusOwner } = canvas;
  // Far away from everything; the exact number is seen nowhere.
  nearest.fill(9);
  second.fill(18);
  nucleus.fill(9);
  owner.fill(0);
  nucleusOwner.fill(0);
  for (const [index, { x, y, cos, sin, elongation, nucleusRadius, radius }] of cells.entries()) {
    const bodyElongation = Math.sqrt(elongation);
    const range = reach * Math.max(radius * bodyElongation, nucleusRadius * elongation);
    const lastX = Math.min(size - 1, Math.floor(x + range));
    const lastY = Math.min(size - 1, Math.floor(y + range));
    for (let py = Math.max(0, Math.ceil(y - range)); py <= lastY; py++) {
      for (let px = Math.max(0, Math.ceil(x - range)); px <= lastX; px++) {
        const along = (px - x) * cos + (py - y) * sin;
        const across = (py - y) * cos - (px - x) * sin;
        const at = py * size + px;
        const body = Math.sqrt((along / bodyElongation) ** 2 + (across * bodyElongation) ** 2) / radius;
        if (body < nearest[at]!) {
          second[at] = nearest[at]!;
          nearest[at] = body;
          owner[at] = index;
        } else if (body < second[at]!) second[at] = body;
        const core = Math.sqrt((along / elongation) ** 2 + (across * elongation) ** 2) / nucleusRadius;
        if (core < nucleus[at]!) {
          nucleus[at] = core;
          nucleusOwner[at] = index;
        }
      }
    }
  }
};

/** Nucleoli inside the nuclei, and the Golgi apparatus, one spot beside each nucleus. */
const drawSpots = (random: RandomStream, p: CellParameters, cells: readonly Cell[], canvas: Canvas): void => {
  canvas.nucleoli.fill(0);
  canvas.golgi.fill(0);
  for (const { x, y, nucleusRadius, brightness } of cells) {
    const count = Math.min(9, random.poisson(p.nucleoliCount));
    for (let each = 0; each < count; each++) {
      const distance = 0.65 * Math.sqrt(random.uniform()) * nucleusRadius;
      const angle = random.between(0, 2 * Math.PI);
      const sigma = p.nucleoliSize * Math.exp(0.12 * random.normal());
      addSpot(canvas.nucleoli, canvas.size, x + distance * Math.cos(angle), y + distance * Math.sin(angle), sigma, 1);
    }
    const angle = random.between(0, 2 * Math.PI);
    const distance = p.golgiDistance * nucleusRadius;
    const golgiX = x + distance * Math.cos(angle);
    const golgiY = y + distance * Math.sin(angle);
    addSpot(canvas.golgi, canvas.size, golgiX, golgiY, p.golgiSize, brightness[5]!);
  }
};

const addSpot = (plane: Float32Array, size: number, x: number, y: number, sigma: number, height: number): void => {
  const range = 4 * sigma;
  const firstX = Math.max(0, Math.ceil(x - range));
  const lastX = Math.min(size - 1, Math.floor(x + range));
  const lastY = Math.min(size - 1, Math.floor(y + range));
  for (let py = Math.max(0, Math.ceil(y - range)); py <= lastY; py++) {
    for (let px = firstX; px <= lastX; px++) {
      plane[py * size + px]! += height * Math.exp((-0.5 * ((px - x) ** 2 + (py - y) ** 2)) / (sigma * sigma));
    }
  }
};

const stain = (p: CellParameters, cells: readonly Cell[], canvas: Canvas): void => {
  const { size, stains, nearest, second, owner, nucleus, nucleusOwner, nucleoli, golgi, textures } = canvas;
  const [chromatin, reticulum, mitochondria, vesicles] = textures;
  const pixels = size * size;
  const wave = 2 * Math.PI * p.fibreFrequency;
  for (let at = 0; at < pixels; at++) {
    const distance = nearest[at]!;
    const gap = second[at]! - distance;
    const { x, y, cos, sin, brightness, fibrePhase } = cells[owner[at]!]!;
    const core = 1 / (1 + Math.exp((nucleus[at]! - 1) * 7));
    const body = 1 / (1 + Math.exp((distance - 1.05) * 8));
    const rim = Math.min(1.2, distance);
    const outline = second[at]! > 1.1 ? Math.exp(-(((distance - 1) / 0.1) ** 2)) : 0;
    const edge = Math.min(1, Math.exp(-((gap / 0.16) ** 2)) * body + outline);
    const along = ((at % size) - x) * cos + (Math.floor(at / size) - y) * sin;
    const fibres = 1 + Math.sin(wave * along + fibrePhase);
    const nuclear = cells[nucleusOwner[at]!]!.brightness[0]!;
    const perinuclear = Math.exp(-(((distance - 0.5) / p.mitochondriaSpread) ** 2)) * body * (1 - 0.8 * core);

    stains[at] = p.nucleusIntensity * core * nuclear * (1 + p.nucleusTexture * chromatin![at]!);
    stains[pixels + at] =
      p.erIntensity * body * brightness[1]! * (1.15 - 0.55 * rim) * (1 - 0.55 * core) * (1 + 0.45 * reticulum![at]!);
    stains[2 * pixels + at] =
      brightness[2]! * (p.actinRing * edge + body * (0.22 + p.fibreAmplitude * 0.35 * fibres * (1 - 0.7 * core)));
    stains[3 * pixels + at] =
      brightness[3]! * (p.cytoplasmicRna * body * (1.1 - 0.4 * rim) + 0.18 * core) +
      0.75 * Math.min(1.4, nucleoli[at]!);
    stains[4 * pixels + at] =
      p.mitochondriaIntensity * brightness[4]! * perinuclear * (0.25 + 1.1 * Math.max(0, mitochondria![at]! - 0.2));
    stains[5 * pixels + at] =
      p.golgiIntensity * Math.min(1.6, golgi[at]!) * (1 + 0.25 * vesicles![at]!) +
      0.22 * body * brightness[5]! +
      0.15 * edge;
  }
  for (let at = 0; at < stains.length; at++) if (stains[at]! < 0) stains[at] = 0;
};
