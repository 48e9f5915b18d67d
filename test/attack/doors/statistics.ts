/** Statistics as bytes, which a caller holds and sends. */
import { createHash } from "node:crypto";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../../../common/safetensors.ts";
import type { CalibrateResponse__Output as CalibrateResponse } from "../../../proto/types/platestream/v1/CalibrateResponse.ts";
import type { Attack, Door } from "../attack.ts";
import { answered } from "../client.ts";
import { images } from "../images.ts";

/** Sends what becomes of good statistics, under the content address of that. */
const sends = (input: string, before: string, damage: (data: Buffer) => Uint8Array, ...says: RegExp[]): Attack => ({
  input,
  before,
  async run(scene) {
    const client = scene.client((await scene.sharedWorker()).address);
    const { response, message } = await client.calibrate([{ images: images(8) }]);
    if (response === undefined) throw new Error(message);
    const data = damage((response as CalibrateResponse).data);
    const id = createHash("sha256").update(data).digest("hex").slice(0, 16);
    const statistics = { calibrated: { id, data } };
    return answered(await client.predict({ images: images(1), statistics }), "INVALID_ARGUMENT", ...says);
  },
});

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets?: number[];
}

/** The same tensors under a header that says something else; a text replaces it. */
const header = (change: (entries: Record<string, Entry>) => unknown) => (data: Buffer) => {
  const length = Number(data.readBigUInt64LE(0));
  const changed = change(JSON.parse(data.toString("utf8", 8, 8 + length)));
  const text = Buffer.from(typeof changed === "string" ? changed : JSON.stringify(changed));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([head, text, data.subarray(8 + length)]);
};

/** What the header says beside its tensors has no shape. */
const tensorsOf = (entries: Record<string, Entry>): Entry[] =>
  Object.entries(entries).flatMap(([name, entry]) => (name === "__metadata__" ? [] : [entry]));

const first = (entries: Record<string, Entry>): Entry => tensorsOf(entries)[0]!;

/** The same statistics with some values changed. */
const tensors = (change: (all: Map<string, StoredTensor>) => void) => (data: Buffer) => {
  const all = readSafetensors(data, "statistics");
  change(all);
  return writeSafetensors(all);
};

const fill = (part: string, value: number) =>
  tensors((all) => {
    for (const [name, { data }] of all) if (name.endsWith(part)) (data as Float32Array).fill(value);
  });

const resend = "FAILED_PRECONDITION, which means: send the bytes";

export const statistics: Door = {
  name: "statistics",
  attacks: [
    sends(
      "header is null",
      "INTERNAL",
      header(() => null),
    ),
    sends(
      "header is a list",
      "refused",
      header(() => []),
    ),
    sends(
      "header is not JSON",
      resend,
      header(() => "{"),
    ),
    sends("header longer than all", resend, (data) => {
      const changed = Buffer.from(data);
      changed.writeBigUInt64LE(2n ** 63n);
      return changed;
    }),
    sends("empty but for a byte", resend, () => Buffer.from([1])),
    sends(
      "a tensor without offsets",
      "INTERNAL",
      header((entries) => {
        delete first(entries).data_offsets;
        return entries;
      }),
    ),
    sends(
      "offsets of an odd length",
      "INTERNAL",
      header((entries) => {
        first(entries).data_offsets![1]! -= 1;
        return entries;
      }),
    ),
    sends(
      "offsets that are texts",
      resend,
      header((entries) => {
        first(entries).data_offsets = ["0", "4"] as never;
        return entries;
      }),
    ),
    sends(
      "offsets below zero",
      "accepted",
      header((entries) => {
        first(entries).data_offsets = [-64, -64 + 4 * first(entries).shape[0]!];
        return entries;
      }),
    ),
    sends(
      "dtype __proto__",
      "INTERNAL",
      header((entries) => {
        first(entries).dtype = "__proto__";
        return entries;
      }),
    ),
    sends(
      "a tensor that is null",
      "INTERNAL",
      header((entries) => ({ ...entries, extra: null })),
    ),
    sends(
      "all tensors at the same offsets",
      "taken as they are",
      header((entries) => {
        for (const each of tensorsOf(entries)) each.data_offsets = [0, 4 * each.shape[0]!];
        return entries;
      }),
      /begins at byte/,
    ),
    sends(
      "a shape that is not that of the bytes",
      "accepted",
      header((entries) => {
        first(entries).shape = [1, 2, 3];
        return entries;
      }),
      /shape/,
    ),
    sends("cut in the middle", resend, (data) => data.subarray(0, data.length / 2)),
    sends(
      "a tensor is missing",
      "refused",
      tensors((all) => all.delete([...all.keys()][0]!)),
      /lack/,
    ),
    sends("NaN as a mean", "refused", fill("running_mean", Number.NaN), /NaN/),
    sends("variances below zero", "refused", fill("running_var", -1), /-1/),
    sends("variances of zero", "accepted: logits without meaning", fill("running_var", 0), /var/),
    {
      input: "statistics of another cell type",
      before: "accepted: predictions of one network with the statistics of another",
      async run(scene) {
        const model = ["--arch", "densenet-small", "--size", "32", "--classes", "3", "--cell-types", "HUVEC,RPE"];
        const made = await scene.pipeline(["model", "new", ...model, "--out", scene.path("two")]);
        if (made.code !== 0) throw new Error(made.err);
        const { address } = await scene.worker(["--model", scene.path("two")]);
        const client = scene.client(address);
        const { response, message } = await client.calibrate([{ images: images(8), cell_type: "RPE" }]);
        if (response === undefined) throw new Error(message);
        const { id, data } = response as CalibrateResponse;
        const other = { images: images(1), cell_type: "HUVEC" };
        const answer = await client.predict({ ...other, statistics: { calibrated: { id, data } } });
        return answered(answer, "INVALID_ARGUMENT", /RPE|another network|cell type/);
      },
    },
  ],
};
