/** `bundle.json`: what a bundle's networks have in common, and which networks there are. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { confidenceFitSchema, unfitted } from "../../common/assignment/confidence.ts";
import { noReplicates, replicatesSchema } from "../../common/assignment/replicates.ts";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { problemsIn } from "../../common/schema.ts";
import { servingSchema } from "../../common/serving.ts";
import { architectureSchema } from "../network/architecture.ts";

const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);

/** One network of a bundle. */
const cellTypeSchema = z.strictObject({
  weights: z
    .string()
    .regex(/^[^/\\]+$/, "a file in the bundle's folder")
    .describe("file of the weights, in the bundle's folder"),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "64 hex digits")
    .describe("of that file"),
  trained: z.boolean().describe("false: fresh weights, whose predictions mean nothing"),
  serving: servingSchema
    .prefault({})
    .describe("how it was trained and validated: what runs use unless configured otherwise"),
  confidence: confidenceFitSchema
    .default(unfitted)
    .describe(
      "what makes probabilities those that a call is right; of a network never tried on held-out wells: as it is",
    ),
  metrics: z.record(z.string(), z.unknown()).optional().describe("what was measured when it was trained"),
});

const manifestSchema = z
  .strictObject({
    format: z.literal("platestream-bundle/1"),
    name: z.string().min(1).describe("what clients call it"),
    architecture: architectureSchema,
    variant: z.string().describe('the named variant that the architecture comes from, or "custom"'),
    classes: z.array(z.string()).min(1).describe("class names in the order of the logits"),
    controls: z.array(z.int().min(0)).describe("indices of the classes that are controls: never assigned"),
    plateGroups: z.array(z.array(z.int().min(0))).describe("indices of classes that occur together on one plate"),
    copies: z
      .array(z.int().positive())
      .default([])
      .describe("per class, wells of an experiment that hold it at most; empty: every class once"),
    replicates: replicatesSchema
      .default(noReplicates)
      .describe("which wells of an experiment hold one treatment by the layout, and are called together"),
    channelNames: z
      .array(z.string().min(1))
      .default([])
      .describe("names of the channels in the order of the input; empty: not known"),
    input: z
      .strictObject({ scale: perChannel, offset: perChannel })
      .describe("pixel * scale + offset is what the network reads; one number, or one per channel"),
    cellTypes: z.record(z.string().min(1), cellTypeSchema),
    recipe: z.unknown().optional().describe("how it was trained"),
    created: z.iso.datetime(),
  })
  .superRefine(({ architecture, classes, controls, plateGroups, channelNames, input }, { addIssue }) => {
    const fail = (path: (string | number)[], message: string) => addIssue({ code: "custom", path, message });
    if (classes.length !== architecture.classes) {
      fail(["classes"], `names ${classes.length} classes, the architecture has ${architecture.classes}`);
    }
    if (channelNames.length > 0 && channelNames.length !== architecture.channels) {
      fail(["channelNames"], `names ${channelNames.length} channels, the architecture has ${architecture.channels}`);
    }
    if (new Set(classes).size !== classes.length) fail(["classes"], "names a class twice");
    for (const index of [...controls, ...plateGroups.flat()]) {
      if (index >= classes.length) fail(["controls"], `class ${index} is none of 0 to ${classes.length - 1}`);
    }
    for (const key of ["scale", "offset"] as const) {
      const value = input[key];
      if (Array.isArray(value) && value.length !== architecture.channels) {
        fail(["input", key], `has ${value.length} values, the images have ${architecture.channels} channels`);
      }
    }
  });
export type Manifest = z.output<typeof manifestSchema>;
export type CellTypeEntry = Manifest["cellTypes"][string];

/** Checks a parsed `bundle.json`; `source` names it in the error, which lists everything that is wrong. */
export const parseManifest = (value: unknown, source: string): Manifest => {
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = problemsIn(parsed.error);
  throw new PlatestreamError("invalid-model", listProblems(`${source} is not a manifest of a bundle:`, problems));
};

/**
 * Identity of a bundle: the first 12 hex digits of a SHA-256 over everything that a prediction depends on. The date, the
 * recipe and the metrics are not part of it.
 */
export const bundleVersion = (manifest: Manifest) => {
  const { name, architecture, classes, controls, plateGroups, copies, replicates, channelNames, input, cellTypes } =
    manifest;
  const weights = Object.entries(cellTypes)
    .map(
      ([cellType, { sha256, trained, serving, confidence }]) =>
        [cellType, sha256, trained, serving, confidence] as const,
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const { growth, blocks, init, bottleneck, stem, channels, height, width, plates } = architecture;
  const shape = [growth, blocks, init, bottleneck, stem, channels, height, width, plates];
  const essentials: unknown[] = [
    name,
    shape,
    classes,
    controls,
    plateGroups,
    copies,
    input.scale,
    input.offset,
    weights,
  ];
  if (channelNames.length > 0) essentials.push(channelNames);
  if (replicates.acrossPlates || replicates.positions.length > 0) essentials.push(replicates);
  return createHash("sha256").update(JSON.stringify(essentials)).digest("hex").slice(0, 12);
};
