import { from, mergeMap, type Observable, pipe } from "rxjs";
import {
  allViews,
  type Batch,
  type CallOptions,
  type Context,
  defineStage,
  type Experiment,
  type Images,
  learnFromSample,
  listProblems,
  type ModelChoice,
  type ModelInfo,
  mapUnordered,
  PlatestreamError,
  packImages,
  type SitePrediction,
  type Statistics,
  viewOf,
  z,
} from "../pipeline/plugin.ts";

const config = z.strictObject({
  model: z.string().optional().describe("name of the bundle; needed only where the workers hold several"),
  statistics: z
    .enum(["calibrated", "batch", "running"])
    .default("calibrated")
    .describe("BatchNorm statistics: estimated once per domain, of each batch itself, or those stored in training"),
  images: z
    .union([z.literal("as-trained"), z.int().positive()])
    .default("as-trained")
    .describe("images of a domain that calibrated statistics are estimated from; as-trained: what the bundle says"),
  sourceWeight: z
    .union([z.literal("as-trained"), z.number().min(0)])
    .default("as-trained")
    .describe(
      "images that the training statistics count as when calibrated ones are blended with them; 0: not at all; as-trained: what the bundle says",
    ),
  allViews: z
    .union([z.literal("as-trained"), z.boolean()])
    .default("as-trained")
    .describe(
      "predict every image in all its quarter turns and their mirror images, 8 of a square, and average them; as-trained: what the bundle says",
    ),
  deadlineMs: z.int().positive().default(300_000).describe("for one request to one worker, in milliseconds"),
  retries: z.int().min(0).default(3).describe("further attempts of a request, on other workers where there are any"),
});
type Config = z.output<typeof config>;

/** Statistics of fewer images are worth a note: they differ much from one sample to the next. */
const fewImages = 16;

interface Options extends Config {
  readonly images: number;
  readonly sourceWeight: number;
  readonly allViews: boolean;
}

const resolved = ({ images, sourceWeight, allViews, ...rest }: Config, { serving }: Context): Options => ({
  ...rest,
  images: images === "as-trained" ? serving.calibrationImages : images,
  sourceWeight: sourceWeight === "as-trained" ? serving.sourceWeight : sourceWeight,
  allViews: allViews === "as-trained" ? serving.allViews : allViews,
});

/**
 * Sends batches to the workers. With calibrated statistics, the first images of every domain are held back until its
 * statistics are estimated; they and all later ones are then predicted with those fixed, whatever their batch.
 */
export const infer = defineStage({
  name: "infer",
  description: "Has the workers predict logits and features, with BatchNorm statistics of the images' own domain.",
  input: "batch",
  output: "site-prediction",
  config,
  conditions: {
    "training-statistics": { statistics: "running" },
    "batch-statistics": { statistics: "batch" },
    "calibrated-statistics": { statistics: "calibrated" },
  },
  check: requireNetworks,
  apply: (config, context) => {
    const options = resolved(config, context);
    const withStatistics =
      options.statistics === "calibrated"
        ? calibrated(options, context)
        : mergeMap((batch: Batch) => from([[batch, { kind: options.statistics } as Statistics] as const]));
    return pipe(
      withStatistics,
      mapUnordered(
        () => context.workers.concurrency,
        ([batch, statistics]) => predict(batch, statistics, options, context),
      ),
      mergeMap((predictions) => predictions),
    ) as (batches: Observable<Batch>) => Observable<SitePrediction>;
  },
});

/** Every cell type needs a network. */
function requireNetworks(
  { model }: Config,
  experiments: readonly Pick<Experiment, "id" | "cellType">[],
  models: readonly ModelInfo[],
): void {
  const usable = models.filter(({ name }) => model === undefined || name === model);
  const cellTypes = [...new Set(experiments.map(({ cellType }) => cellType))];
  const missing = cellTypes.filter((cellType) => !usable.some((each) => each.cellType === cellType));
  if (missing.length === 0) return;
  const has = usable.map(({ name, cellType }) => `${cellType} (${name})`).join(", ");
  const of = (cellType: string) =>
    experiments.flatMap((each) => (each.cellType === cellType ? [each.id] : [])).join(", ");
  throw new PlatestreamError(
    "unknown-model",
    listProblems(
      `no network for some cell types; the workers have ${has === "" ? "none" : has}:`,
      missing.map((cellType) => `${cellType}, of ${of(cellType)}`),
    ),
  );
}

const calibrated = (options: Options, context: Context) => {
  let noted = false;
  return learnFromSample<Batch, Statistics>({
    context,
    domain: ({ domain }) => domain,
    weight: (batch) => (batch.round === 0 ? batch.images.length : 0),
    enough: options.images,
    learn: (batches, domain) => {
      const sample = batches.filter(({ round }) => round === 0);
      const images = sample.reduce((sum, batch) => sum + batch.images.length, 0);
      if (images < fewImages && !noted) context.note(fewNote(domain, images));
      noted ||= images < fewImages;
      return context.workers.calibrate(
        choice(options, context),
        sample.map((batch) => packed(batch, context)),
        options.sourceWeight,
        { ...callOptions(options, context), about: { plate: plateOf(batches), batch: "calibration" } },
      );
    },
  });
};

const fewNote = (domain: string, images: number): string =>
  `the statistics of ${domain} rest on ${images} images, those of other small ones on as few: their calls are less certain`;

/** Views are like rounds: further predictions of a site, which its well averages. */
const predict = async (
  batch: Batch,
  statistics: Statistics,
  options: Options,
  context: Context,
): Promise<SitePrediction[]> => {
  const images = packed(batch, context);
  const { pixels, shape } = images;
  const [, , height, width] = shape;
  const views = options.allViews ? allViews(height, width) : [undefined];
  const predictions: SitePrediction[] = [];
  for (const [v, view] of views.entries()) {
    const seen = view === undefined ? images : { ...images, pixels: viewOf(pixels, view, shape) };
    const about = { plate: plateOf([batch]), batch: `${batch.round}.${batch.index}` };
    const answer = await context.workers.predict(choice(options, context), seen, statistics, {
      ...callOptions(options, context),
      about,
    });
    const row = (values: Float32Array, index: number) => {
      const length = values.length / batch.images.length;
      return values.slice(index * length, (index + 1) * length);
    };
    for (const [index, { site }] of batch.images.entries()) {
      predictions.push({
        site,
        round: batch.round * views.length + v,
        logits: row(answer.logits, index),
        features: row(answer.features, index),
        model: answer.model,
        statistics: answer.statistics,
      });
    }
  }
  for (const { lease, site } of batch.images) {
    lease.release();
    context.predicted(site);
  }
  return predictions;
};

const choice = ({ model }: Config, { experiment }: Context): ModelChoice => ({
  name: model,
  cellType: experiment.cellType,
});

const callOptions = ({ deadlineMs, retries }: Config, { signal }: Context): CallOptions => ({
  deadlineMs,
  retries,
  signal,
});

/** The one that all images are of. */
const plateOf = (batches: readonly Batch[]): string | undefined => {
  const plates = new Set(batches.flatMap(({ images }) => images.map(({ site }) => site.plate)));
  return plates.size === 1 ? [...plates][0] : undefined;
};

/** Those of a sample are packed for its calibration, and sent once: the prediction names them. */
const packedBatches = new WeakMap<Batch, Images>();

const packed = (batch: Batch, { experiment }: Context): Images => {
  const { images } = batch;
  const held = packedBatches.get(batch);
  if (held !== undefined) return held;
  const plates = images.map(({ site }) => experiment.plates.indexOf(site.plate));
  const made = packImages(images, plates);
  packedBatches.set(batch, made);
  return made;
};
