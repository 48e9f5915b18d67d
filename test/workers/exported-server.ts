/** A server of the Open Inference Protocol that holds an exported network and runs its graphs, and fails as a test tells it to. */
import type { TestContext } from "node:test";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { exportedName, exportedTensors, pixelDatatypes } from "../../common/exported-network.ts";
import { loadProtos } from "../../common/grpc/protos.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { serve } from "../../gpu-worker/engine/served.ts";
import { exportedGraphs } from "../../gpu-worker/runtime/onnx/exported-graphs.ts";
import { onnxSessions, type Session } from "../../gpu-worker/runtime/onnx/session.ts";
import type { Tensor } from "../../gpu-worker/runtime/onnx/tensor.ts";
import type { PixelType } from "../../gpu-worker/runtime/runtime.ts";
import type { ModelInferRequest__Output } from "../../proto/types/inference/ModelInferRequest.ts";
import type { ModelMetadataResponse } from "../../proto/types/inference/ModelMetadataResponse.ts";

export interface ExportedServer {
  readonly address: string;
  /** Names of the models that were asked to infer, in order. */
  readonly asked: string[];
  /** What callers sent as `authorization`. */
  readonly tokens: string[];
  ready: boolean;
  /** Changes what the server says of a model. */
  metadata: (told: ModelMetadataResponse) => ModelMetadataResponse;
  /** Told before each inference; what it throws is answered instead. */
  before: (model: string) => void;
  /** Holds another bundle from now on. */
  hold(bundle: string): Promise<void>;
  die(): void;
}

export interface ExportedServerOptions {
  readonly pixels?: PixelType;
  /** Answers with typed contents, as servers do that know no raw ones. */
  readonly typed?: boolean;
  readonly credentials?: ServerCredentials;
}

const datatypes = { float32: "FP32", uint8: "UINT8", uint16: "UINT16" } as const;

/** Copies: the bytes of a message need not lie where wider values may. */
const readTensor = (datatype: string, shape: number[], bytes: Buffer): Tensor => {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  if (datatype === "UINT8") return { type: "uint8", data: new Uint8Array(buffer), shape };
  if (datatype === "UINT16") return { type: "uint16", data: new Uint16Array(buffer), shape };
  return { type: "float32", data: new Float32Array(buffer), shape };
};

export const startExportedServer = async (
  t: TestContext,
  bundle: string,
  { pixels = "uint8", typed = false, credentials = ServerCredentials.createInsecure() }: ExportedServerOptions = {},
): Promise<ExportedServer> => {
  const models = new Map<string, { readonly session: Session; readonly told: ModelMetadataResponse }>();
  const hold = async (folder: string): Promise<void> => {
    const [network] = serve([await readBundle(folder)]);
    const exported = exportedGraphs(network!, pixels);
    for (const [task, graph] of exported.graphs()) {
      const name = exportedName(`${network!.model.name}.${network!.model.cellType}`, task);
      const tensors =
        task === "about" ? { inputs: [], outputs: [] } : exportedTensors(exported, task, pixelDatatypes[pixels]);
      const told = { name, versions: ["1"], platform: "test", ...tensors } as unknown as ModelMetadataResponse;
      const session = await onnxSessions("cpu").load(graph, { threads: 1 });
      t.after(() => session.close());
      models.set(name, { session, told });
    }
  };
  await hold(bundle);

  const server = new Server({ "grpc.max_receive_message_length": -1 });
  const fake = {
    asked: [] as string[],
    tokens: [] as string[],
    ready: true,
    metadata: (told: ModelMetadataResponse) => told,
    before: (_: string): void => undefined,
    hold,
    die: () => server.forceShutdown(),
  };
  const find = (name: string) => {
    const found = models.get(name);
    if (found === undefined) throw { code: 5, details: `Request for unknown model: '${name}' is not found` };
    return found;
  };
  const infer = async ({ model_name, inputs, outputs, raw_input_contents }: ModelInferRequest__Output) => {
    fake.asked.push(model_name);
    fake.before(model_name);
    const feeds = inputs.map(({ name, datatype, shape }, at) => [
      name,
      readTensor(datatype, shape, raw_input_contents[at]!),
    ]);
    const wanted = outputs.map(({ name }) => name);
    const results = await find(model_name).session.run(Object.fromEntries(feeds), wanted);
    const tensors = wanted.map((name) => results[name]!);
    const contents = ({ type, data }: Tensor) =>
      type === "float32"
        ? { fp32_contents: [...(data as Float32Array)] }
        : { uint_contents: [...(data as Uint8Array)] };
    return {
      model_name,
      model_version: "1",
      outputs: tensors.map((tensor, at) => ({
        name: wanted[at],
        datatype: datatypes[tensor.type as keyof typeof datatypes],
        shape: tensor.shape,
        ...(typed ? { contents: contents(tensor) } : {}),
      })),
      raw_output_contents: typed
        ? []
        : tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
    };
  };
  const answering =
    <Q, A>(work: (request: Q) => A | Promise<A>) =>
    (call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>) => {
      fake.tokens.push(String(call.metadata.get("authorization")));
      Promise.resolve()
        .then(() => work(call.request))
        .then(
          (response) => answer(null, response),
          (error) => answer(error),
        );
    };
  const service = loadProtos("open_inference.proto")["inference.GRPCInferenceService"] as ServiceDefinition;
  server.addService(service, {
    ModelReady: answering(({ name }: { name: string }) => ({ ready: fake.ready && models.has(name) })),
    ModelMetadata: answering(({ name }: { name: string }) => fake.metadata(find(name).told)),
    ServerMetadata: answering(() => ({ name: "test", version: "1.0", extensions: [] })),
    ModelInfer: answering(infer),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  );
  t.after(() => server.forceShutdown());
  return Object.assign(fake, { address: `127.0.0.1:${port}` });
};
