/** Synthetic experiments by their names, which say all of them. */
const numbered = (numbers: readonly number[]): string[] =>
  ["HUVEC", "RPE", "HEPG2", "U2OS"].flatMap((cellType) =>
    numbers.map((number) => `${cellType}-${String(number).padStart(2, "0")}`),
  );

/** What the demo's networks have learnt from. */
export const trainedOn = numbered(Array.from({ length: 14 }, (_, i) => i + 1));

/** No network of ours was trained on them, and no option was chosen on them. */
export const heldOut = numbered([31, 32, 33, 34]);

/** The same for mix-ups, whose threshold was chosen on those above among others, and for adaptation. */
export const untouched = numbered([61, 62, 63, 64]);
