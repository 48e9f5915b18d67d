/** Synthetic experiments that no network of ours was trained on, and no option was chosen on. */
const numbered = (numbers: readonly number[]): string[] =>
  ["HUVEC", "RPE", "HEPG2", "U2OS"].flatMap((cellType) => numbers.map((number) => `${cellType}-${number}`));

export const heldOut = numbered([31, 32, 33, 34]);

/** The same for mix-ups, whose threshold was chosen on those above among others, and for adaptation. */
export const untouched = numbered([61, 62, 63, 64]);
