/** What a network sees in wells beside what the layout says of them. */
import { evidence } from "../assignment/assign.ts";
import { shares } from "../assignment/balance.ts";
import type { ModelInfo } from "../model-info.ts";
import type { SeenWell } from "./find-mix-ups.ts";

export interface PredictedWell {
  readonly plate: string;
  readonly well: string;
  readonly treatment?: string;
  /** [classes] */
  readonly probabilities: Float32Array;
  readonly model: Pick<ModelInfo, "classes" | "confidence">;
}

/** The wells of which the layout says anything; all of them predicted by one network. */
export const seenWells = (wells: readonly PredictedWell[]): SeenWell[] => {
  const [first] = wells;
  if (first === undefined) return [];
  const { classes, confidence } = first.model;
  const every = [...classes.keys()];
  // Balancing may sharpen what a network says, because the design corrects it; here a well stands for itself.
  const temperature = Math.max(confidence.temperature, 1);
  const indexOf = new Map(classes.map((name, k) => [name, k]));
  return wells.flatMap(({ plate, well, treatment, probabilities }) =>
    treatment === undefined
      ? []
      : [
          {
            plate,
            well,
            claimed: indexOf.get(treatment),
            shares: shares(evidence(probabilities), every, temperature),
          },
        ],
  );
};
