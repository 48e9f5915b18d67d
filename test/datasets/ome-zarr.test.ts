import assert from "node:assert/strict";
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { readSite, readSourceHeader } from "../../screen/read-site.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { omeZarrPlate, type PlateOptions, writeFiles } from "../kit/ome-zarr.ts";
import { keys, startS3, withEnvironment } from "../screen/s3-server.ts";

const pixel: PlateOptions["pixel"] = ({ well, field, c, z, y, x }) =>
  1000 * well + 500 * field + 100 * c + 10 * ((z * 7) % 5) + y + x;
const plate = (version: PlateOptions["version"], more: Partial<PlateOptions> = {}) =>
  omeZarrPlate({ version, wells: ["B/3", "C/04"], fields: 2, channels: ["DNA", "ER"], side: 8, pixel, ...more });

const expected = (well: number, field: number, channels: readonly number[], step = 1, z = 0) => {
  const size = 8 / step;
  return channels.flatMap((c) =>
    Array.from({ length: size * size }, (_, i) =>
      pixel({ well, field, c, z, y: step * Math.floor(i / size), x: step * (i % size) }),
    ),
  );
};

test("OME-Zarr 0.4 and 0.5: wells, fields and channels by name, to the last bit", async (t) => {
  for (const version of ["0.4", "0.5"] as const) {
    const folder = await temporaryFolder(t);
    await writeFiles(join(folder, "one.zarr"), plate(version, { levels: 2 }));
    for (const root of [folder, join(folder, "one.zarr")]) {
      const dataset = await openDataset(root);
      assert.equal(dataset.layout, "ome-zarr");
      assert.deepEqual(dataset.channels, ["DNA", "ER"]);
      const { sites, plates } = await dataset.load(dataset.experiments[0]!.id);
      assert.deepEqual(plates, ["P1"]);
      assert.deepEqual(
        sites.map(({ well, site }) => `${well} ${site}`),
        ["B03 1", "B03 2", "C04 1", "C04 2"],
      );
      const { pixels, height, width } = await readSite(sites[3]!.images);
      assert.deepEqual([height, width, pixels.BYTES_PER_ELEMENT], [8, 8, 2]);
      assert.deepEqual([...pixels], expected(1, 1, [0, 1]), version);
    }
    const chosen = await openDataset(folder, { channels: ["ER"], level: 1 });
    const { sites } = await chosen.load(chosen.experiments[0]!.id);
    assert.deepEqual([...(await readSite(sites[0]!.images)).pixels], expected(0, 0, [1], 2));
    assert.deepEqual(await readSourceHeader(sites[0]!.images[0]!), { width: 4, height: 4, bits: 16 });
  }
});

test("OME-Zarr: of stacks a plane or the maximum is chosen", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(join(folder, "one.zarr"), plate("0.4", { z: 3 }));
  await assert.rejects(openDataset(folder), /3 z-planes.*choose one with --plane 0, or their maximum with --plane max/);
  for (const [plane, z] of [
    [2, 2],
    ["max", 2],
    [1, 1],
  ] as const) {
    const dataset = await openDataset(folder, { plane });
    const { sites } = await dataset.load(dataset.experiments[0]!.id);
    const got = [...(await readSite(sites[0]!.images)).pixels];
    const all = [0, 1, 2].map((each) => expected(0, 0, [0, 1], 1, each));
    assert.deepEqual(got, plane === "max" ? all[0]!.map((_, i) => Math.max(...all.map((one) => one[i]!))) : all[z]);
  }
});

test("OME-Zarr: a missing or damaged chunk is not zeros", async (t) => {
  const folder = await temporaryFolder(t);
  for (const [version, chunk] of [
    ["0.4", "B/3/0/0/0/0/1/1"],
    ["0.5", "B/3/0/0/c/0/0/1/1"],
  ] as const) {
    const at = join(folder, `${version}.zarr`);
    await writeFiles(at, plate(version));
    const dataset = await openDataset(at);
    const { sites } = await dataset.load(dataset.experiments[0]!.id);
    await truncate(join(at, chunk), 12);
    await assert.rejects(readSite(sites[0]!.images), /B\/3\/0: the array is damaged/);
    await rm(join(at, chunk));
    await assert.rejects(readSite(sites[0]!.images), /chunk .*0\/0\/1\/1 of pixels is missing \(Zarr would show zeros/);
  }
});

test("OME-Zarr from a store gives the pixels of the same plate on disk", { timeout: 60_000 }, async (t) => {
  const server = await startS3(t);
  withEnvironment(t, { ...keys, AWS_ENDPOINT_URL: server.endpoint, PLATESTREAM_CACHE_MIB: "0" });
  const files = plate("0.5");
  const folder = await temporaryFolder(t);
  await writeFiles(join(folder, "one.zarr"), files);
  for (const [name, content] of files) await server.put(`one.zarr/${name}`, content);
  const [near, far] = [await openDataset(join(folder, "one.zarr")), await openDataset("s3://screen/one.zarr")];
  const load = async (dataset: typeof near) => (await dataset.load(dataset.experiments[0]!.id)).sites;
  const [local, remote] = [await load(near), await load(far)];
  for (const [i, { images }] of remote.entries())
    assert.deepEqual(await readSite(images), await readSite(local[i]!.images));
});
