/** Synthetic experiments that no network of ours was trained on, and no option was chosen on. */
export const heldOut = ["HUVEC", "RPE", "HEPG2", "U2OS"].flatMap((cellType) =>
  [31, 32, 33, 34].map((number) => `${cellType}-${number}`),
);
