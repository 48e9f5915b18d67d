import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { channelOrder, inNetworkOrder } from "../../screen/channels.ts";
import { locationsOf } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const network = (channelNames: readonly string[], channels = channelNames.length) => ({
  name: "net",
  channels,
  channelNames,
});
const named = (...names: string[]) => ({ names, chosen: false });

test("channels are found by name, in whatever order and spelling a dataset has them", () => {
  assert.deepEqual(channelOrder(named("ER", "DNA"), network(["DNA", "ER"]), "E"), [1, 0]);
  assert.deepEqual(channelOrder(named("origDNA", "Brightfield", "er"), network(["DNA", "ER"]), "E"), [0, 2]);
  assert.deepEqual(channelOrder(named("α-tubulin", "β-actin"), network(["β-actin", "α-tubulin"]), "E"), [1, 0]);
});

test("a bundle without names takes the channels as they stand, if there are as many", () => {
  assert.deepEqual(channelOrder(named("ER", "DNA"), network([], 2), "E"), [0, 1]);
  assert.throws(
    () => channelOrder(named("ER", "DNA"), network([], 6), "E-01"),
    /E-01 has the channels ER, DNA, and net reads 6 channels; say with --channels which/,
  );
});

test("names that cannot be matched are refused, unless the user ordered the channels", () => {
  assert.throws(
    () => channelOrder(named("w1", "w2"), network(["DNA", "ER"]), "E-01"),
    /E-01 has the channels w1, w2, and net reads the channels DNA, ER; say with --channels/,
  );
  assert.deepEqual(channelOrder({ names: ["w2", "w1"], chosen: true }, network(["DNA", "ER"]), "E"), [0, 1]);
  assert.throws(
    () => channelOrder({ names: ["w2"], chosen: true }, network(["DNA", "ER"]), "E"),
    /has the channels w2/,
  );
});

const table = [
  "FileName_OrigER,FileName_OrigDNA,FileName_Brightfield,Metadata_Plate,Metadata_Well,Metadata_Site",
  "er.tif,dna.tif,,P1,B02,1",
].join("\n");

test("--channels keeps and orders channels; a run puts them in the order of the network", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "load_data.csv"), table);
  await assert.rejects(
    openDataset(folder),
    /plate P1 of load_data has wells without an image of channel Brightfield; leave the channel out with --channels ER,DNA/,
  );
  await assert.rejects(openDataset(folder, { channels: ["RNA"] }), /--channels names RNA, which the dataset does not/);
  const dataset = await openDataset(folder, { channels: ["er", "DNA"] });
  assert.deepEqual(dataset.channels, ["ER", "DNA"]);
  const mapped = inNetworkOrder(await dataset.load("load_data"), network(["DNA", "ER"]));
  assert.deepEqual(mapped.channels?.names, ["DNA", "ER"]);
  assert.deepEqual(mapped.sites[0]!.images.flatMap(locationsOf), [join(folder, "dna.tif"), join(folder, "er.tif")]);
});
