/** What has to hold of an experiment's predictions before its wells can be called together. */
import { type ModelInfo, PlatestreamError, type WellPrediction } from "../../pipeline/plugin.ts";

/** Throws at the first well whose probabilities are not numbers, or that another network than the first one's predicted. */
export const checkPredictions = (wells: readonly WellPrediction[]): void => {
  if (wells[0] !== undefined) checkIndices(wells[0].model);
  for (const { model, probabilities, plate, well } of wells) {
    const where = `plate ${plate} well ${well}`;
    const first = wells[0]!.model;
    if (model.name !== first.name || model.version !== first.version || model.cellType !== first.cellType) {
      const named = ({ name, version, cellType }: typeof model) => `${name} ${version} (${cellType})`;
      throw new PlatestreamError(
        "invalid-model",
        `the wells of an experiment must be predicted by one network, ${where} was by ${named(model)} and others by ` +
          `${named(first)}; give all workers the same bundle`,
      );
    }
    if (probabilities.length !== model.classes.length) {
      throw new PlatestreamError(
        "invalid-model",
        `${where} has ${probabilities.length} probabilities, but network ${model.name} ${model.version} has ${model.classes.length} classes`,
      );
    }
    if (!probabilities.every(Number.isFinite)) {
      throw new PlatestreamError(
        "invalid-model",
        `the probabilities of ${where} are not numbers; network ${model.name} ${model.version} of ${model.cellType} is broken`,
      );
    }
  }
};

/** What a worker says about its network comes from another machine, and is checked. */
const checkIndices = ({ name, version, classes, controls, plateGroups, copies, replicates }: ModelInfo): void => {
  const wrong = [...controls, ...plateGroups.flat()].find(
    (k) => !(Number.isInteger(k) && k >= 0 && k < classes.length),
  );
  const twice = plateGroups.flat().find((k, at, all) => all.indexOf(k) < at);
  const broken = (why: string) =>
    new PlatestreamError("invalid-model", `what the worker says of network ${name} ${version} is broken: ${why}`);
  if (wrong !== undefined) throw broken(`a control or plate group has class ${wrong} of 0 to ${classes.length - 1}`);
  if (twice !== undefined) throw broken(`class ${twice} is in two plate groups`);
  for (const counts of [copies, replicates.copies]) {
    if (counts.length > classes.length || counts.some((count) => !(Number.isInteger(count) && count > 0)))
      throw broken("the copies of a class must be whole numbers of at least 1");
  }
};
