import { Observable } from "rxjs";
import {
  type Batch,
  byteSize,
  defineStage,
  domainFor,
  type Experiment,
  PlatestreamError,
  type Serving,
  type Site,
  type SiteImage,
  seededShuffle,
  z,
} from "../pipeline/plugin.ts";

const config = z.strictObject({
  within: z
    .enum(["as-trained", "plate", "experiment"])
    .default("as-trained")
    .describe("what the images of a batch have in common; as-trained: what the bundle says"),
  size: z
    .union([z.literal("as-trained"), z.int().positive(), z.array(z.int().positive()).min(1)])
    .default("as-trained")
    .describe(
      "images per batch; with a list, every image is read once at every size; as-trained: what the bundle says",
    ),
  rounds: z.int().positive().default(1).describe("times every image is read at every size, each time beside others"),
  window: z
    .int()
    .positive()
    .default(128)
    .describe("images that sizes and rounds mix with each other; the memory that pixels may take bounds it, too"),
  seed: z.int().min(0).default(0).describe("of the order of the images"),
});

/**
 * Cuts the images into batches that never mix domains.
 *
 * A domain's images come in a seeded random order, so that any stretch of them is a fair sample of it. With one size
 * and one round they are cut as they come. Otherwise a window of images is kept, and shuffled anew for every size and
 * round: the neighbours in a batch change, while memory stays bounded. A rest of less than half a batch joins the
 * batch before, because statistics of very few images are poor.
 */
export const batchByExperiment = defineStage({
  name: "batch-by-experiment",
  description: "Makes batches of images of one plate, or of one experiment, for the network to read together.",
  input: "site-image",
  output: "batch",
  config,
  conditions: {
    "small-batches": { size: 8 },
    "many-batchings": { size: [8, 12, 16, 24, 32], rounds: 2 },
    "experiment-domain": { within: "experiment" },
    "plate-domain": { within: "plate" },
  },
  plan: ({ within, seed }, experiment, serving) => fairOrder(experiment, domainOf(within, experiment, serving), seed),
  apply: ({ within, size, rounds, window, seed }, { memory, experiment, serving, note }) => {
    const sizes = size === "as-trained" ? [serving.batch] : [size].flat();
    const domainKind = domainOf(within, experiment, serving);
    if (within === "as-trained" && domainKind !== serving.domain) note(smallPlatesNote(serving));
    const passes = sizes.flatMap((each) => Array.from({ length: rounds }, () => each));
    const largest = Math.max(...sizes);
    const step = passes.length === 1 ? largest : Math.max(window, largest);
    const nameOf = ({ site }: SiteImage) =>
      domainKind === "plate" ? `plate ${site.plate}` : `experiment ${site.experiment}`;

    return (images$) =>
      new Observable<Batch>((subscriber) => {
        let domain: string | undefined;
        let held: SiteImage[] = [];
        let index = 0;

        const emit = (images: readonly SiteImage[]) => {
          for (const image of images) for (let pass = 1; pass < passes.length; pass++) image.lease.retain();
          for (const [round, each] of passes.entries()) {
            const order =
              round === 0 ? images : seededShuffle(images, `${seed} ${experiment.id} ${domain} ${round} ${index}`);
            for (const batch of cut(order, each))
              subscriber.next({ domain: domain!, round, index: index++, images: batch });
          }
        };
        const flush = () => {
          if (held.length > 0) emit(held);
          held = [];
        };
        const full = (image: SiteImage) => (held.length + 1) * image.lease.bytes > memory.capacity / 2;

        return images$.subscribe({
          next: (image) => {
            if (domain !== nameOf(image)) flush();
            domain = nameOf(image);
            held.push(image);
            if (held.length >= step + Math.ceil(largest / 2)) emit(held.splice(0, step));
            else if (full(image)) {
              if (held.length < largest) return subscriber.error(doesNotFit(largest, image, memory.capacity));
              flush();
            }
          },
          error: (error) => subscriber.error(error),
          complete: () => {
            flush();
            subscriber.complete();
          },
        });
      });
  },
});

/** The domain of this experiment: what the user says, or what the bundle says of plates as small as these. */
const domainOf = (
  within: "as-trained" | Serving["domain"],
  { plates, sites }: Experiment,
  serving: Serving,
): Serving["domain"] => {
  if (within !== "as-trained") return within;
  const images = new Map(plates.map((plate) => [plate, 0]));
  for (const { plate } of sites) images.set(plate, (images.get(plate) ?? 0) + 1);
  return domainFor(serving, [...images.values()]);
};

const smallPlatesNote = ({ minImages }: Serving): string =>
  `most images are on plates with fewer than ${minImages} of them, too few for statistics of their own: the experiment's are used`;

const fairOrder = ({ id, plates, sites }: Experiment, within: "plate" | "experiment", seed: number): Site[] =>
  within === "experiment"
    ? seededShuffle(sites, `${seed} ${id}`)
    : plates.flatMap((plate) =>
        seededShuffle(
          sites.filter((site) => site.plate === plate),
          `${seed} ${id} ${plate}`,
        ),
      );

/** Batches of about `size`: a rest of less than half a batch joins the last. */
const cut = (images: readonly SiteImage[], size: number): SiteImage[][] => {
  const count = Math.max(1, Math.round(images.length / size));
  return Array.from({ length: count }, (_, b) =>
    images.slice(b * size, b + 1 === count ? images.length : (b + 1) * size),
  );
};

const doesNotFit = (size: number, { lease }: SiteImage, capacity: number): PlatestreamError => {
  return new PlatestreamError(
    "too-large",
    `a batch of ${size} images of ${byteSize(lease.bytes)} does not fit into half of the ${byteSize(capacity)} that an ` +
      `experiment's pixels may take; raise memoryMiB or use smaller batches`,
  );
};
