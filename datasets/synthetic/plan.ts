/** Which class stands in which well: the layout of one experiment, a function of the parameters and its name. */
import type { WellType } from "../../screen/experiment.ts";
import { cellTypeOfName } from "../fields.ts";
import type { SyntheticParameters } from "./parameters.ts";
import { randomStream } from "./random.ts";

export interface PlannedWell {
  readonly well: string;
  readonly wellType: WellType;
  /** Treatments first, then the positive controls, the last one for untreated wells: as in RxRx1. */
  readonly treatment: number;
  /** Sites that are there, counted from 1. */
  readonly sites: readonly number[];
}

export interface PlannedPlate {
  readonly plate: number;
  readonly wells: readonly PlannedWell[];
}

export interface Plan {
  readonly experiment: string;
  readonly cellType: string;
  readonly plates: readonly PlannedPlate[];
}

/** The rim of a 384-well plate stays empty: rows B to O, columns 2 to 23. */
const rows = 14;
const columns = 22;

/** Of 96 failed treatments of RxRx1, 19 stand in its tables as untreated wells; the others are gone. */
const untreatedShare = 19 / 96;

/** Wells that a plate needs; more than 308 do not fit. */
export const wellsPerPlate = ({ classes, positiveControls, negativeControls }: SyntheticParameters): number =>
  classes + positiveControls + negativeControls;

export const plateCapacity = rows * columns;

export const planExperiment = (parameters: SyntheticParameters, experiment: string): Plan => {
  const { seed, plates, classes } = parameters;
  const treatments = randomStream(seed, "groups").permutation(plates * classes);
  const rotation = Math.floor(randomStream(seed, "rotation", experiment).uniform() * plates);
  return {
    experiment,
    cellType: cellTypeOfName(experiment),
    plates: Array.from({ length: plates }, (_, index) => {
      const group = (index + rotation) % plates;
      const members = treatments.slice(group * classes, (group + 1) * classes);
      return { plate: index + 1, wells: planPlate(parameters, experiment, index + 1, members) };
    }),
  };
};

const planPlate = (
  parameters: SyntheticParameters,
  experiment: string,
  plate: number,
  treatments: readonly number[],
): PlannedWell[] => {
  const { seed, plates, classes, positiveControls, negativeControls, sites, missingWells, missingSites } = parameters;
  const firstControl = plates * classes;
  const untreated = firstControl + positiveControls;
  const contents = [
    ...treatments,
    ...Array.from({ length: positiveControls }, (_, index) => firstControl + index),
    ...Array.from({ length: negativeControls }, () => untreated),
  ];
  const order = randomStream(seed, "wells", experiment, plate).permutation(contents.length);
  const failures = randomStream(seed, "failures", experiment, plate);
  return order.flatMap((content, position) => {
    const planned = contents[content]!;
    const failed = failures.uniform() < missingWells && planned < firstControl;
    const stays = failures.uniform() < untreatedShare;
    const present = Array.from({ length: sites }, (_, index) => index + 1).filter(
      () => failures.uniform() >= missingSites,
    );
    if ((failed && !stays) || present.length === 0) return [];
    const treatment = failed ? untreated : planned;
    const wellType =
      treatment < firstControl ? "treatment" : treatment < untreated ? "positive_control" : "negative_control";
    return [{ well: wellName(position), wellType, treatment, sites: present }];
  });
};

const wellName = (position: number): string => {
  const row = String.fromCharCode("B".charCodeAt(0) + Math.floor(position / columns));
  return `${row}${String((position % columns) + 2).padStart(2, "0")}`;
};
