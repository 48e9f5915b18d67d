/** Messages of the wire, as they come out of protobuf. */
import { json, type Target } from "../target.ts";

const predict = {
  id: "1",
  ...{ model: "", cell_type: "HUVEC", plates: [], top: 3 },
  images: { pixels: "AAAA", type: "UINT8", shape: [1, 1, 2, 2], scale: [], offset: [] },
  statistics: { kind: "calibrated", calibrated: { id: "ab", data: "AAAA" } },
};

const network = {
  ...{ name: "m", version: "1", cellType: "HUVEC", trained: true, classes: ["a", "b"], controls: [], plateGroups: [] },
  ...{ channels: 1, height: 2, width: 2, plates: 2, featureCount: 3 },
};

export const messages: readonly Target[] = [
  {
    name: "images and statistics",
    parsers: ["common/network-inputs.ts"],
    seeds: [
      JSON.stringify(predict),
      JSON.stringify({ ...predict, images: { ...predict.images, type: "UINT16", scale: [1], offset: [0] } }),
      JSON.stringify({ ...predict, images: { ...predict.images, type: "FLOAT32" }, plates: [0], statistics: null }),
      JSON.stringify({ ...predict, images: null, statistics: { kind: "batch" } }),
      JSON.stringify({
        ...predict,
        images: { ...predict.images, pixels: "", shared: { name: "0".repeat(32), offset: 16, bytes: 4, turn: 1 } },
      }),
    ],
    words: [
      "UINT8",
      "UINT16",
      "FLOAT32",
      "running",
      "batch",
      "calibrated",
      "shape",
      "scale",
      "offset",
      "plates",
      "shared",
      "turn",
    ],
    async open() {
      const { loadProtos } = await import("../../../common/grpc/protos.ts");
      const { imagesFrom, statisticsFrom } = await import("../../../gpu-worker/services/platestream/messages.ts");
      const { openSharedFiles } = await import("../../../gpu-worker/services/platestream/shared-pixels.ts");
      const files = openSharedFiles(2 ** 20);
      const { validateImages } = await import("../../../common/network-inputs.ts");
      const method = (loadProtos("platestream.proto")["platestream.v1.Worker"] as unknown as Service).Predict;
      return (input) => {
        const message = json(input) as Record<string, { pixels?: unknown }>;
        let request: Decoded;
        try {
          request = method.requestDeserialize(method.requestSerialize(message));
        } catch {
          return; // what the client's own library refuses
        }
        statisticsFrom(request.statistics as never);
        const { images } = imagesFrom(request.images as never, request.plates, files);
        validateImages(network as never, images, 4);
      };
    },
  },
  {
    name: "protobuf",
    parsers: [],
    seeds: [Buffer.from("0a01311a0548555645432210", "hex"), Buffer.from("22120a04000000001a0401010202", "hex"), ""],
    async open() {
      const { loadProtos } = await import("../../../common/grpc/protos.ts");
      const { statisticsFrom } = await import("../../../gpu-worker/services/platestream/messages.ts");
      const { NotAnInput } = await import("../target.ts");
      const method = (loadProtos("platestream.proto")["platestream.v1.Worker"] as unknown as Service).Predict;
      return (input) => {
        let request: Decoded;
        try {
          request = method.requestDeserialize(Buffer.from(input));
        } catch {
          throw new NotAnInput(); // refused by gRPC itself
        }
        statisticsFrom(request.statistics as never);
      };
    },
  },
  {
    name: "filters of results",
    parsers: ["pipeline/events/event.ts"],
    seeds: [
      JSON.stringify({ experiments: ["A"], cell_types: [], plates: [], kinds: ["call"] }),
      JSON.stringify({ experiments: [], cell_types: ["HUVEC"], plates: ["1"], kinds: [] }),
      JSON.stringify({ experiments: [], cell_types: [], plates: [], kinds: ["state"] }),
    ],
    words: ["experiments", "cell_types", "plates", "kinds", "call", "state"],
    async open() {
      const { loadProtos } = await import("../../../common/grpc/protos.ts");
      const { filterOf } = await import("../../../pipeline/events/messages.ts");
      const event = await import("../../../pipeline/events/event.ts");
      const method = (loadProtos("results.proto")["platestream.v1.Results"] as unknown as Service).Subscribe;
      const about = { experiment: "A", cellType: "HUVEC", node: "n", at: "2026-01-01T00:00:00Z" };
      const call = { kind: "call", ...about, plate: "1" } as never;
      const state = { kind: "state", ...about, state: "done" } as never;
      return (input) => {
        let request: unknown;
        try {
          request = method.requestDeserialize(method.requestSerialize(json(input) as object));
        } catch {
          return;
        }
        const filter = filterOf(request as never);
        event.fits(filter, call);
        event.fits(filter, state);
      };
    },
  },
];

interface Decoded {
  readonly images: object | null;
  readonly statistics: object | null;
  readonly plates: readonly number[];
}

interface Method {
  requestSerialize(message: object): Buffer;
  requestDeserialize(bytes: Buffer): Decoded;
}

interface Service {
  readonly Predict: Method;
  readonly Subscribe: Method;
}
