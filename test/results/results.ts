/** Results of a run, made by hand: every well w of a plate shows class w. */

import { unfitted } from "../../common/assignment/confidence.ts";
import { noReplicates } from "../../common/assignment/replicates.ts";
import type { ModelInfo } from "../../common/model-info.ts";
import { sourceServing } from "../../common/serving.ts";
import type { ResultsConfig } from "../../pipeline/results/origin.ts";
import type { ExperimentResult } from "../../pipeline/results/result.ts";
import type { Call } from "../../pipeline/stage/items.ts";
import type { Experiment, Site, WellType } from "../../screen/experiment.ts";

export const model: ModelInfo = {
  name: "demo",
  version: "v1",
  cellType: "HUVEC",
  trained: true,
  classes: ["0", "1", "2", "3"],
  controls: [],
  plateGroups: [],
  channels: 1,
  height: 8,
  width: 8,
  plates: 0,
  channelNames: [],
  featureCount: 3,
  serving: sourceServing,
  confidence: unfitted,
  copies: [],
  replicates: noReplicates,
};

export const config: ResultsConfig = {
  data: "plates",
  layout: "auto",
  columns: {},
  map: {},
  experiments: [],
  out: "runs/latest",
  workers: [],
  connectionsPerWorker: 2,
  sharedMemory: true,
  memoryMiB: 1024,
  concurrentExperiments: 2,
  attempts: 3,
  stages: [{ use: "infer", options: { images: 64, statistics: "calibrated" } }],
  models: [model],
};

export interface MadeWell {
  readonly plate?: string;
  readonly well: string;
  readonly wellType?: WellType;
  readonly treatment?: string;
  /** Absent: the well has no call, and its sites were left out. */
  readonly called?: string;
  readonly byStrategy?: Call["byStrategy"];
  readonly metadata?: Record<string, string>;
  readonly model?: ModelInfo;
}

export const resultOf = (id: string, wells: readonly MadeWell[]): ExperimentResult => {
  const sites = wells.flatMap((well) => [1, 2].map((site) => siteOf(id, well, site)));
  const experiment: Experiment = {
    id,
    cellType: "HUVEC",
    plates: [...new Set(sites.map(({ plate }) => plate))],
    sites,
  };
  return {
    experiment,
    calls: wells.flatMap((well, index) => (well.called === undefined ? [] : callOf(id, well, well.called, index))),
    leftOut: sites
      .filter(({ well }) => wells.some((each) => each.well === well && each.called === undefined))
      .map((site) => ({ stage: "decode", site, reason: `${site.well}_s${site.site}.png is missing` })),
    notes: ["a note"],
    attempts: 1,
    startedAt: "2024-05-01T10:00:00.000Z",
    seconds: 4,
    images: 2 * wells.filter(({ called }) => called !== undefined).length,
  };
};

const siteOf = (experiment: string, made: MadeWell, site: number): Site => {
  const { plate = "1", well, wellType = "treatment", treatment, metadata = {} } = made;
  return {
    experiment,
    cellType: "HUVEC",
    plate,
    well,
    site,
    wellType,
    ...(treatment === undefined ? {} : { treatment }),
    images: [],
    metadata,
  };
};

const callOf = (experiment: string, made: MadeWell, called: string, index: number): Call => {
  const { images: _, site: __, cellType: ___, ...well } = siteOf(experiment, made, 1);
  const { model: network = model } = made;
  return {
    prediction: {
      ...well,
      probabilities: new Float32Array(4),
      features: Float32Array.from({ length: network.featureCount }, (_, feature) => index + feature / 4),
      sites: [1, 2],
      rounds: 1,
      model: network,
      statistics: "sha-1",
    },
    treatment: called,
    probability: 0.75,
    margin: 0.5,
    alternatives: [
      { treatment: called, probability: 0.75 },
      { treatment: "9", probability: 0.25 },
    ],
    plateGroup: 2,
    strategy: "plate-groups",
    byStrategy: made.byStrategy ?? { argmax: called, "once-per-experiment": called, "plate-groups": called },
    flags: ["sites-missing", "fallback"],
  };
};
