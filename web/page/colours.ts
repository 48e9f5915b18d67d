/** What wells are coloured by, and the colours: viridis for numbers, one hue per name for the rest. */
import type { ExperimentRow, WellRow } from "../protocol.ts";

export interface Colouring {
  readonly id: string;
  readonly title: string;
  /** Undefined: not known of this well. */
  readonly value: (well: WellRow) => number | string | undefined;
  /** Numbers from black to yellow; absent: the least and largest value there are. */
  readonly range?: readonly [number, number];
  /** Named colours, where the names have a meaning. */
  readonly names?: Readonly<Record<string, string>>;
}

const agreement = { right: "#2a9d6f", wrong: "#d1495b", unknown: "#8d99ae" } as const;

export const agreementOf = ({ call, treatment, wellType }: WellRow): keyof typeof agreement | undefined => {
  if (call === undefined) return undefined;
  if (treatment === undefined || wellType !== "treatment") return "unknown";
  return call === treatment ? "right" : "wrong";
};

/** Confidence where the run gives one, else the network's own probability. */
export const confidenceOf = ({ confidence, probability }: WellRow): number | undefined => confidence ?? probability;

export type Scores = ReadonlyMap<string, Float32Array>;

export const componentPrefix = "component-";

export const colourings = (
  wells: readonly WellRow[],
  experiments: ReadonlyMap<string, ExperimentRow>,
  components: number,
  scoreOf: (well: WellRow, component: number) => number | undefined,
): Colouring[] => {
  const calibrated = wells.some(({ confidence }) => confidence !== undefined);
  const metadata = [...new Set(wells.flatMap((row) => Object.keys(row.metadata)))].sort();
  return [
    {
      id: "confidence",
      title: calibrated ? "confidence of the call" : "probability of the call (the network's own)",
      value: confidenceOf,
      range: [0, 1],
    },
    { id: "margin", title: "margin to the next class", value: ({ margin }) => margin, range: [0, 1] },
    { id: "agreement", title: "agreement with the layout", value: agreementOf, names: agreement },
    ...(calibrated
      ? [
          {
            id: "probability",
            title: "probability (the network's own)",
            value: ({ probability }: WellRow) => probability,
            range: [0, 1] as const,
          },
        ]
      : []),
    { id: "call", title: "treatment called", value: ({ call }) => call },
    { id: "treatment", title: "treatment in the layout", value: ({ treatment }) => treatment },
    { id: "cell-type", title: "cell type", value: ({ experiment }) => experiments.get(experiment)?.cellType },
    { id: "well-type", title: "treatment or control", value: ({ wellType }) => wellType.replaceAll("_", " ") },
    { id: "flags", title: "flags", value: ({ flags }) => (flags.length === 0 ? undefined : flags.join(", ")) },
    ...Array.from(
      { length: components },
      (_, c): Colouring => ({
        id: `${componentPrefix}${c + 1}`,
        title: `principal component ${c + 1} of the profiles`,
        value: (well) => scoreOf(well, c),
      }),
    ),
    ...metadata.map(
      (name): Colouring => ({
        id: `metadata-${name}`,
        title: name,
        value: ({ metadata: own }) => (Object.hasOwn(own, name) ? own[name] : undefined),
      }),
    ),
  ];
};

/** Eight points of viridis (Smith and van der Walt, 2015). */
const viridis = [
  [68, 1, 84],
  [70, 50, 127],
  [54, 92, 141],
  [39, 127, 142],
  [31, 161, 135],
  [74, 194, 109],
  [159, 218, 58],
  [253, 231, 37],
] as const;

export const scaleColour = (share: number): string => {
  const at = Math.min(1, Math.max(0, share)) * (viridis.length - 1);
  const low = Math.min(viridis.length - 2, Math.floor(at));
  const mix = viridis[low]!.map((from, i) => Math.round(from + (viridis[low + 1]![i]! - from) * (at - low)));
  return `rgb(${mix.join(",")})`;
};

/** Okabe and Ito's colours, which colour-blind people tell apart; then hues a golden angle apart. */
const distinct = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999"];

const nameColour = (index: number): string =>
  distinct[index] ?? `hsl(${Math.round((index * 137.508) % 360)} ${55 + (index % 3) * 15}% ${45 + (index % 4) * 7}%)`;

export interface Paint {
  readonly colour: (well: WellRow) => string | undefined;
  readonly legend:
    | { readonly kind: "scale"; readonly low: number; readonly high: number }
    | { readonly kind: "names"; readonly names: readonly (readonly [name: string, colour: string])[] };
}

const collator = new Intl.Collator("en", { numeric: true });

/** Makes the colours of some wells: of numbers a scale, of anything else names. */
export const paint = ({ value, range, names }: Colouring, wells: readonly WellRow[]): Paint => {
  const values = wells.map(value).filter((each) => each !== undefined);
  if (names === undefined && values.length > 0 && values.every((each) => typeof each === "number")) {
    let [low, high] = range ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    if (range === undefined) {
      for (const each of values) {
        low = Math.min(low, each);
        high = Math.max(high, each);
      }
    }
    const width = high - low || 1;
    return {
      legend: { kind: "scale", low, high },
      colour: (well) => {
        const own = value(well);
        return own === undefined ? undefined : scaleColour((Number(own) - low) / width);
      },
    };
  }
  const known = [...new Set(values.map(String))].sort(collator.compare);
  const colours = new Map(known.map((name, index) => [name, names?.[name] ?? nameColour(index)]));
  return {
    legend: { kind: "names", names: [...colours] },
    colour: (well) => {
      const own = value(well);
      return own === undefined ? undefined : colours.get(String(own));
    },
  };
};
