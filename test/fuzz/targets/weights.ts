/** Tensors, statistics and manifests from elsewhere. */
import { json, type Target } from "../target.ts";

const tensors = (header: object, bytes = 64): Uint8Array => {
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([head, text, Buffer.alloc(bytes, 0x3f)]);
};

const entry = (dtype: string, from: number, to: number, shape: readonly number[]) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

const headers = [
  {},
  { a: entry("F32", 0, 16, [4]), b: entry("F16", 16, 20, [2, 1]), __metadata__: { made: "by hand" } },
  {
    a: entry("F64", 0, 16, [2]),
    b: entry("BF16", 16, 20, [2]),
    c: entry("U8", 20, 24, [4]),
    d: entry("I64", 24, 32, [1]),
  },
];

const architecture = {
  ...{ growth: 2, blocks: [1, 1], init: 4, bottleneck: 2, stem: "small", channels: 2 },
  ...{ height: 16, width: 16, classes: 3, plates: 0 },
} as const;

const manifest = {
  format: "platestream-bundle/1",
  name: "tiny",
  architecture,
  variant: "custom",
  classes: ["a", "b", "c"],
  controls: [2],
  plateGroups: [[0], [1]],
  input: { scale: 0.004, offset: 0 },
  cellTypes: { HUVEC: { weights: "HUVEC.safetensors", sha256: "0".repeat(64), trained: true } },
  created: "2026-01-01T00:00:00.000Z",
};

export const weights: readonly Target[] = [
  {
    name: "safetensors",
    parsers: ["common/safetensors.ts"],
    seeds: headers.map((header) => tensors(header)),
    words: ["F32", "F16", "BF16", "F64", "U8", "I64", "dtype", "shape", "data_offsets", "__metadata__"],
    async open() {
      const { readSafetensors, writeSafetensors } = await import("../../../common/safetensors.ts");
      return (input) => {
        const read = readSafetensors(input, "the input");
        const again = readSafetensors(writeSafetensors(read), "the same");
        if (again.size !== read.size) throw new Error("what was written is not what was read");
      };
    },
  },
  {
    name: "safetensors header",
    parsers: ["common/safetensors.ts"],
    seeds: headers.map((header) => JSON.stringify(header)),
    words: ["F32", "F16", "BF16", "F64", "U8", "I64", "dtype", "shape", "data_offsets", "__metadata__"],
    async open() {
      const { readSafetensors } = await import("../../../common/safetensors.ts");
      return (input) => {
        const head = Buffer.alloc(8);
        head.writeBigUInt64LE(BigInt(input.length));
        readSafetensors(Buffer.concat([head, input, Buffer.alloc(64, 0x3f)]), "the input");
      };
    },
  },
  {
    name: "statistics",
    parsers: ["common/norm-statistics.ts"],
    seeds: ["0 0", "3 1", "7 200 5"],
    async open() {
      const { architectureSchema, normLayers } = await import("../../../gpu-worker/network/architecture.ts");
      const { decodeStatistics, encodeStatistics, estimateStatistics } = await import(
        "../../../common/norm-statistics.ts"
      );
      const { initialWeights } = await import("../../../gpu-worker/network/initialise.ts");
      const network = architectureSchema.parse(architecture);
      const layers = normLayers(network);
      const trained = initialWeights(network, 1);
      const statistics = new Map([...trained].filter(([name]) => /running_(mean|var)$/.test(name)));
      const right = Buffer.from(encodeStatistics(statistics).data);
      // Bytes of the input change bytes of statistics that fit: [place, value] in turn.
      return (input) => {
        const data = Buffer.from(right);
        for (let at = 0; at + 2 < input.length; at += 3)
          data[(input[at]! * 256 + input[at + 1]!) % data.length] = input[at + 2]!;
        const decoded = decodeStatistics(input.length % 5 === 4 ? data.subarray(0, input.length) : data, layers);
        const estimate = estimateStatistics(layers);
        if (input[0] !== 0) estimate.addEstimate(decoded, input[0] ?? 0);
        if (input[1] !== 0) estimate.finish(trained, input[1] ?? 1);
      };
    },
  },
  {
    name: "bundle.json",
    parsers: ["gpu-worker/bundle/manifest.ts", "gpu-worker/network/architecture.ts"],
    seeds: [
      manifest,
      { ...manifest, channelNames: ["a", "b"], input: { scale: [1, 1], offset: [0, 0] } },
      { ...manifest, channelNames: ["a"], input: { scale: [1], offset: [0, 0] }, classes: ["a", "a", "c"] },
      { ...manifest, cellTypes: { ...manifest.cellTypes, A: manifest.cellTypes.HUVEC, RPE: manifest.cellTypes.HUVEC } },
      { ...manifest, architecture: { ...architecture, height: 3 } },
    ].map((each) => JSON.stringify(each)),
    words: Object.keys(manifest),
    async open() {
      const { parseManifest } = await import("../../../gpu-worker/bundle/manifest.ts");
      const { parameters, featureCount } = await import("../../../gpu-worker/network/architecture.ts");
      const { bundleVersion } = await import("../../../gpu-worker/bundle/manifest.ts");
      return (input) => {
        const parsed = parseManifest(json(input), "bundle.json");
        bundleVersion(parsed);
        featureCount(parsed.architecture);
        if (parsed.architecture.blocks.length < 4) parameters(parsed.architecture);
      };
    },
  },
];
