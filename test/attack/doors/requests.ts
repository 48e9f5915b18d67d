/** Messages to a worker that fit its proto and mean nothing, or something else than their sender thinks. */
import type { Attack, Door } from "../attack.ts";
import { type AttackClient, answered } from "../client.ts";
import { floatImages, images } from "../images.ts";
import type { Scene } from "../scene.ts";
import type { Verdict } from "../verdict.ts";
import { clear, hung, unclear, worst } from "../verdict.ts";

const predict = (input: string, before: string, request: object, ...says: readonly RegExp[]): Attack => ({
  input,
  before,
  run: async (scene) => answered(await (await clientOf(scene)).predict(request), "INVALID_ARGUMENT", ...says),
});

const clientOf = async (scene: Scene): Promise<AttackClient> => scene.client((await scene.sharedWorker()).address);

const nanLogits = "OK, with NaN as every logit";

export const requests: Door = {
  name: "requests",
  attacks: [
    predict(
      "NaN among float pixels",
      nanLogits,
      { images: floatImages(2, (at) => (at === 5 ? Number.NaN : 9)) },
      /NaN/,
    ),
    predict(
      "infinity among float pixels",
      nanLogits,
      { images: floatImages(2, (at) => (at === 5 ? Number.POSITIVE_INFINITY : 9)) },
      /[Ii]nfinit/,
    ),
    predict("a scale of NaN", "refused", { images: images(1, { scale: Array(6).fill(Number.NaN) }) }, /scale/),
    predict(
      "a scale of 3e38",
      nanLogits,
      { images: images(1, { scale: Array(6).fill(3e38) }) },
      /scale|too large|finite/,
    ),
    predict(
      "float pixels in [0, 1] with the model's own scale, which is for grey levels",
      "OK, with logits of an almost black image",
      { images: floatImages(2, (at) => (at % 100) / 100) },
      /scale/,
    ),
    predict("no images", "refused", {}, /images/),
    predict("a shape of zeros", "refused", { images: images(1, { shape: [0, 6, 32, 32] }) }, /shape/),
    predict("a shape that overflows", "refused", { images: images(1, { shape: [65536, 65536, 65536, 4] }) }),
    predict("one byte too few", "refused", { images: images(1, { pixels: Buffer.alloc(6 * 32 * 32 - 1) }) }, /bytes/),
    {
      input: "one image with batch statistics, where the last maps are 1x1",
      before: "OK, with all logits zero",
      async run(scene) {
        const model = [
          "--arch",
          "densenet-small",
          "--size",
          "16",
          "--classes",
          "3",
          "--channels",
          "6",
          "--cell-types",
          "A",
        ];
        const made = await scene.pipeline(["model", "new", ...model, "--out", scene.path("small")]);
        if (made.code !== 0) return unclear(made.err);
        const { address } = await scene.worker(["--model", scene.path("small")]);
        const one = { pixels: Buffer.alloc(6 * 256, 7), type: "UINT8", shape: [1, 6, 16, 16] };
        const client = scene.client(address);
        const predicted = await client.predict({ images: one, statistics: { batch: {} } });
        const calibrated = await client.calibrate([{ images: one }]);
        const says = /1x1|one (value|pixel)/;
        return worst([answered(predicted, "INVALID_ARGUMENT", says), answered(calibrated, "INVALID_ARGUMENT", says)]);
      },
    },
    {
      input: "Calibrate: the second message names another cell type",
      before: "the second name was not looked at",
      async run(scene) {
        const client = await clientOf(scene);
        const batches = [{ images: images(2) }, { images: images(2), cell_type: "NO-SUCH" }];
        const { status, ...rest } = await client.calibrate(batches);
        const wanted = status === "NOT_FOUND" ? status : "INVALID_ARGUMENT";
        return answered({ status, ...rest }, wanted, /cell.type|NO-SUCH/);
      },
    },
    {
      input: "reflection: which services there are",
      before: "Health among them, although reflection could not describe it",
      async run(scene) {
        const client = await clientOf(scene);
        const ask = (text: string, field: number) =>
          client.raw(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            Buffer.concat([Buffer.from([field * 8 + 2, text.length]), Buffer.from(text)]),
          );
        const listed = Buffer.from((((await ask("", 7)).response ?? "") as Buffer) || "").toString("latin1");
        const health = "grpc.health.v1.Health";
        const described = Buffer.from(((await ask(health, 4)).response ?? "") as Buffer).toString("latin1");
        if (!listed.includes("platestream.v1.Worker")) return unclear(`the list lacks the worker: ${listed}`);
        if (!listed.includes(health)) return clear("Health is not listed");
        return /not.?found/i.test(described) || !described.includes("HealthCheck")
          ? unclear("Health is listed, and cannot be described")
          : clear("Health is listed, and described");
      },
    },
    {
      input: "bytes that are not protobuf, at every method",
      before: "INTERNAL: index out of range",
      async run(scene) {
        const client = await clientOf(scene);
        const methods = ["Predict", "ListModels"].map((name) => `/platestream.v1.Worker/${name}`);
        const verdicts: Verdict[] = [];
        for (const method of [...methods, "/grpc.health.v1.Health/Check"]) {
          const answer = await client.raw(method, Buffer.from("0affffffff0fabcdef", "hex"));
          // Bytes that are a message by chance ask for a service that nobody has.
          verdicts.push(answered(answer, answer.status === "NOT_FOUND" ? answer.status : "INVALID_ARGUMENT"));
        }
        return worst(verdicts);
      },
    },
    {
      input: "90 kB of metadata",
      before: "OK",
      async run(scene) {
        const client = await clientOf(scene);
        const answer = await client.listModels({ "x-long": "~".repeat(45_000), "x-longer": "~".repeat(45_000) });
        return answered(answer, "RESOURCE_EXHAUSTED", /metadata/);
      },
    },
    {
      input: "150 kB of metadata, beyond what HTTP/2's library takes",
      before: "no answer",
      async run(scene) {
        const { status, message } = await (await clientOf(scene)).listModels({ "x-long": "~".repeat(150_000) });
        if (status === "DEADLINE_EXCEEDED") return hung("no answer within 15 s");
        if (status === "OK") return unclear("taken");
        const others = await (await clientOf(scene)).listModels();
        if (others.status !== "OK") return unclear(`others are not served: ${others.message}`);
        return clear(`the connection ends at once, others are served; its client reads: ${status}: ${message}`);
      },
    },
  ],
};
