/** The features of all wells of a run: their principal components, and which wells are alike. */
import type { ReportedExperiment } from "../../pipeline/results/report.ts";
import type { Profiles } from "../protocol.ts";
import { principalComponents } from "./principal-components.ts";

type Place = readonly [experiment: string, plate: string, well: string];

interface Table {
  readonly places: readonly Place[];
  /** [wells, features] */
  readonly features: Float32Array;
  readonly length: number;
  /** [features] */
  readonly mean: Float64Array;
  /** [wells], length of a well's features when the mean is taken off. */
  readonly norms: Float64Array;
}

export interface ProfileTable {
  /** Undefined: no well has features yet. */
  components(): Promise<Profiles | undefined>;
  /** The wells whose features correlate most with those of one, best first. */
  similar(place: Place, most: number): readonly { readonly place: Place; readonly similarity: number }[];
}

/** More are noise in every picture. */
const shown = 20;

/** Experiments whose networks give another number of features than the first are left out: they cannot be compared. */
export const profileTable = (experiments: readonly ReportedExperiment[]): ProfileTable => {
  const table = stack(experiments);
  let components: Promise<Profiles | undefined> | undefined;
  return {
    components() {
      components ??= table.places.length < 2 ? Promise.resolve(undefined) : analyse(table);
      return components;
    },
    similar([experiment, plate, well], most) {
      const at = table.places.findIndex((place) => place[0] === experiment && place[1] === plate && place[2] === well);
      if (at < 0) return [];
      const own = centred(table, at);
      return table.places
        .map((place, index) => ({ place, index, similarity: index === at ? -2 : correlation(table, own, at, index) }))
        .filter(({ similarity }) => similarity > -2)
        .sort((a, b) => b.similarity - a.similarity)
        .slice(0, most)
        .map(({ place, similarity }) => ({ place, similarity }));
    },
  };
};

const stack = (experiments: readonly ReportedExperiment[]): Table => {
  const length = experiments.find(({ report }) => report.featureCount > 0)?.report.featureCount ?? 0;
  const usable = experiments.filter(({ report }) => report.featureCount === length && length > 0);
  const places = usable.flatMap(({ report, wells }) =>
    wells.flatMap(({ plate, well, call }): Place[] => (call === undefined ? [] : [[report.experiment, plate, well]])),
  );
  const features = new Float32Array(places.length * length);
  let offset = 0;
  for (const experiment of usable) {
    features.set(experiment.features, offset);
    offset += experiment.features.length;
  }
  const mean = new Float64Array(length);
  for (let i = 0; i < features.length; i++) mean[i % length]! += features[i]! / places.length;
  const norms = new Float64Array(places.length);
  for (let row = 0; row < places.length; row++) {
    let sum = 0;
    for (let f = 0; f < length; f++) sum += (features[row * length + f]! - mean[f]!) ** 2;
    norms[row] = Math.sqrt(sum);
  }
  return { places, features, length, mean, norms };
};

const centred = ({ features, length, mean }: Table, row: number): Float64Array =>
  Float64Array.from({ length }, (_, f) => features[row * length + f]! - mean[f]!);

const correlation = ({ features, length, mean, norms }: Table, own: Float64Array, at: number, row: number): number => {
  let sum = 0;
  for (let f = 0; f < length; f++) sum += own[f]! * (features[row * length + f]! - mean[f]!);
  const scale = norms[at]! * norms[row]!;
  return scale === 0 ? 0 : sum / scale;
};

const analyse = async ({ places, features, length, mean }: Table): Promise<Profiles> => {
  const count = Math.min(shown, length, places.length - 1);
  const { scores, explained } = await principalComponents(features, length, mean, count);
  return { components: count, wells: places, scores: Buffer.from(scores.buffer).toString("base64"), explained };
};
