/**
 * The door for stages, built-in or yours: everything that a stage may use is exported here.
 *
 * ```ts
 * import { defineStage, z } from "platestream/plugin";
 * import { filter } from "rxjs";
 *
 * export default defineStage({
 *   name: "first-site",
 *   description: "Keeps one site per well.",
 *   input: "site",
 *   output: "site",
 *   config: z.strictObject({ site: z.int().positive().default(1).describe("the site to keep") }),
 *   apply: ({ site }) => filter((item) => item.site === site),
 * });
 * ```
 */
export { z } from "zod";
export { assignCopies, assignOnce, evidence, forbidden } from "../common/assignment/assign.ts";
export { balance, shares } from "../common/assignment/balance.ts";
export { confidenceOf } from "../common/assignment/confidence.ts";
export { type PlateWells, placeGroups } from "../common/assignment/place-groups.ts";
export { addUp, noReplicates, replicateSets } from "../common/assignment/replicates.ts";
export { mapOrdered, mapUnordered } from "../common/concurrency.ts";
export { type ErrorCode, listProblems, PlatestreamError } from "../common/errors.ts";
export type { RequestIdentity } from "../common/grpc/request-identity.ts";
export type { CalibratedStatistics, Images, ModelChoice, Prediction, Statistics } from "../common/inference.ts";
export { findMixUps } from "../common/mix-ups/find-mix-ups.ts";
export { seenWells } from "../common/mix-ups/seen-wells.ts";
export type { ModelInfo } from "../common/model-info.ts";
export { byteSize, sigmoid, softmax } from "../common/quantities.ts";
export { seededRandom, seededShuffle } from "../common/random.ts";
export { domainFor, type Serving } from "../common/serving.ts";
export type { Experiment, Site, WellType } from "../screen/experiment.ts";
export type { ImageHeader } from "../screen/formats/format.ts";
export { divide } from "../screen/illumination.ts";
export { estimateField } from "../screen/illumination-field.ts";
export { type ImageSource, imageAt, locationsOf, type PlaneAddress } from "../screen/image-source.ts";
export { writeGreyImage } from "../screen/images.ts";
export { describeFrame, type Frame, readSite, readSourceHeader, type SitePixels } from "../screen/read-site.ts";
export type { Affine, Lease, SiteImage } from "../screen/site-image.ts";
export { type Moments, momentsOf, standardise } from "../screen/standardise.ts";
export { rangeOption } from "../screen/value-range.ts";
export { allViews, type View, viewOf } from "../screen/views.ts";
export type { Condition } from "./stage/conditions.ts";
export * from "./stage/items.ts";
export { learnFromSample, type Sampling } from "./stage/sample.ts";
export * from "./stage/stage.ts";
export { packImages } from "./workers/pack-images.ts";
export * from "./workers/workers.ts";
