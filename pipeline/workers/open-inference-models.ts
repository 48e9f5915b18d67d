/** Whether a server's models are those of an exported network: everything that is wrong, before anything is computed. */
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import {
  type ExportedNetwork,
  type ExportedTask,
  type ExportedTensor,
  exportedTensors,
  pixelDatatypes,
} from "../../common/exported-network.ts";
import type { ModelMetadataResponse__Output } from "../../proto/types/inference/ModelMetadataResponse.ts";

export type PixelDatatype = (typeof pixelDatatypes)[keyof typeof pixelDatatypes];

type Told = ModelMetadataResponse__Output["inputs"][number];

/** -1 fits any size on the server's side, and on ours the number of images, which must be free. */
const shapesFit = (wanted: readonly number[], told: readonly number[]): boolean =>
  wanted.length === told.length && wanted.every((size, at) => told[at] === -1 || told[at] === size);

const list = (shape: readonly number[]): string => `[${shape.map((size) => (size === -1 ? "N" : size)).join(", ")}]`;

const problemsOf = (what: "input" | "output", wanted: readonly ExportedTensor[], told: readonly Told[]): string[] => {
  const missing = wanted.flatMap(({ name, datatype, shape }) => {
    const found = told.find((each) => each.name === name);
    if (found === undefined) return [`it has no ${what} "${name}"; it has ${told.map((each) => each.name).join(", ")}`];
    return [
      ...(found.datatype === datatype ? [] : [`its ${what} "${name}" is ${found.datatype}, not ${datatype}`]),
      ...(shapesFit(shape, found.shape) ? [] : [`its ${what} "${name}" is ${list(found.shape)}, not ${list(shape)}`]),
    ];
  });
  const more = what === "output" ? [] : told.filter(({ name }) => !wanted.some((each) => each.name === name));
  return [...missing, ...more.map(({ name }) => `it asks for an ${what} "${name}", which a run does not have`)];
};

/**
 * Checks a model against what the network says of itself, and returns the type of its pixels.
 *
 * @throws PlatestreamError `invalid-model`, with all that is wrong
 */
export const checkModel = (
  network: ExportedNetwork,
  task: Exclude<ExportedTask, "about">,
  { name, inputs, outputs }: ModelMetadataResponse__Output,
  where: string,
): PixelDatatype => {
  const told = inputs.find((input) => input.name === "pixels")?.datatype;
  const pixels = Object.values(pixelDatatypes).find((each) => each === told) ?? pixelDatatypes.uint8;
  const wanted = exportedTensors(network, task, pixels);
  const problems = [...problemsOf("input", wanted.inputs, inputs), ...problemsOf("output", wanted.outputs, outputs)];
  if (problems.length === 0) return pixels;
  throw new PlatestreamError(
    "invalid-model",
    listProblems(
      `${where}: model ${name} is not what \`pipeline model export --repository\` writes of ${network.model.name} ${network.model.cellType}:`,
      problems,
    ),
  );
};
