/** Where a network starts from, what changes between two stages, and what is served in the end. */
import { stat } from "node:fs/promises";
import { PlatestreamError } from "../../common/errors.ts";
import { readRegularFile } from "../../common/read-file.ts";
import { readSafetensors } from "../../common/safetensors.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { type Architecture, parameters, type Weights } from "../../gpu-worker/network/architecture.ts";
import { initialiser, initialWeights } from "../../gpu-worker/network/initialise.ts";
import type { Recipe } from "./recipe.ts";

const isHead = (name: string): boolean => name.startsWith("classifier.");

/** The same network with a fresh classifier for the architecture's classes. */
export const withNewHead = (weights: Weights, architecture: Architecture, recipe: Recipe, seed: number): Weights => {
  const make = initialiser(seed);
  return new Map(
    parameters(architecture).map((parameter) => {
      if (!isHead(parameter.name)) return [parameter.name, weights.get(parameter.name)!];
      const fresh = make(parameter);
      const prior = recipe.headBias === "prior" && parameter.kind === "bias";
      return [parameter.name, prior ? fresh.fill(-Math.log(Math.max(architecture.classes - 1, 1))) : fresh];
    }),
  );
};

/** Seeded weights, or those of the recipe's `init`; their classifier is kept where it fits. */
export const startWeights = async (architecture: Architecture, recipe: Recipe, cellType: string): Promise<Weights> => {
  const fresh = withNewHead(initialWeights(architecture, recipe.seed), architecture, recipe, recipe.seed);
  if (recipe.init === undefined) return fresh;
  const given = await readWeights(recipe.init, cellType);
  return new Map(
    parameters(architecture).map(({ name, shape }) => {
      const [tensor, length] = [given.get(name), fresh.get(name)!.length];
      if (tensor?.length === length) return [name, tensor.slice()];
      if (isHead(name)) return [name, fresh.get(name)!];
      throw new PlatestreamError(
        "invalid-model",
        `init: ${recipe.init} must hold ${name} [${shape}], got ${tensor?.length ?? "no"} numbers; ` +
          "it belongs to another architecture than the recipe's",
      );
    }),
  );
};

const readWeights = async (path: string, cellType: string): Promise<Weights> => {
  const found = await stat(path).catch((cause) => {
    throw new PlatestreamError("invalid-config", `init: ${path} cannot be read (${cause.code})`, { cause });
  });
  if (found.isDirectory()) {
    const { weights } = await readBundle(path);
    const own = weights.get(cellType);
    if (own !== undefined) return own;
    const names = [...weights.keys()].join(", ");
    throw new PlatestreamError("unknown-model", `init: the bundle ${path} has no ${cellType}; it has ${names}`);
  }
  const tensors = readSafetensors(await readRegularFile(path, "invalid-model"), path);
  return new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
};

/**
 * CosFace and ArcFace learn cosines; workers compute a linear layer. Rows of unit length times scale over the mean length of the
 * features give logits that rank the same, of the same size on average.
 */
export const linearHead = (weights: Weights, architecture: Architecture, scale: number, length: number): Weights => {
  const { classes } = architecture;
  const rows = weights.get("classifier.weight")!.slice();
  const width = rows.length / classes;
  for (let k = 0; k < classes; k++) {
    const row = rows.subarray(k * width, (k + 1) * width);
    const factor = scale / (Math.hypot(...row) * length);
    for (let i = 0; i < width; i++) row[i] = row[i]! * factor;
  }
  return new Map([...weights, ["classifier.weight", rows], ["classifier.bias", new Float32Array(classes)]]);
};
