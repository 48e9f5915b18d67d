/** Images of a disk, of a store and of an OME-Zarr plate make the same calls, to the byte; changed files are refused. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { readSite } from "../../screen/read-site.ts";
import { runCommand } from "../kit/command.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { omeZarrPlate, writeFiles } from "../kit/ome-zarr.ts";
import { keys, startS3 } from "../screen/s3-server.ts";

const side = 16;
const channels = ["DNA", "ER"];
const wells = ["B02", "B03", "C02", "C03"];
const fields = [0, 1];

interface At {
  readonly well: number;
  readonly field: number;
  readonly c: number;
  readonly y: number;
  readonly x: number;
}
const pixel = ({ well, field, c, y, x }: At): number =>
  ((y * side + x) * 7919 + (well * 2 + field) * 104729 + c * 31) % 4096;

const sites = wells.flatMap((name, well) => fields.map((field) => ({ name, well, field })));
const fileOf = (name: string, field: number, c: number) => `img/${name}_${field + 1}_${c}.tiff`;

/** A table of one plate whose last well is a control; `images` are columns of it. */
const tableOf = (
  images: Readonly<Record<string, (name: string, field: number) => string>>,
  { labels = true } = {},
): string => {
  const header = ["Experiment", "Plate", "Well", "Site", ...(labels ? ["sirna", "pert_type"] : [])];
  const rows = sites.map(({ name, well, field }) => [
    ...["HUVEC-01", "P1", name, field + 1],
    ...(labels ? [well, name === "C03" ? "negcon" : "trt"] : []),
    ...Object.values(images).map((of) => of(name, field)),
  ]);
  return [[...header.map((each) => `Metadata_${each}`), ...Object.keys(images)], ...rows].join("\n");
};

const byChannel = (column: string, of: (name: string, field: number, c: number) => string) =>
  Object.fromEntries(
    channels.map((channel, c) => [`${column}_${channel}`, (name: string, field: number) => of(name, field, c)]),
  );

test("one plate on disk, in a store and as OME-Zarr", { timeout: 230_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const server = await startS3(t);
  const environment = { ...keys, AWS_ENDPOINT_URL: server.endpoint, PLATESTREAM_CACHE: join(folder, "cache") };
  const command = (...args: string[]) => runCommand(folder, args, environment);
  const callsOf = async (data: string, out: string, ...more: string[]) => {
    const { code, stderr } = await command("start", "--data", data, "--worker", address, "--out", out, ...more);
    assert.equal(code, 0, stderr);
    return readFile(join(folder, out, "calls.csv"), "utf8");
  };

  await mkdir(join(folder, "img"));
  const digests = new Map<string, string>();
  for (const { name, well, field } of sites)
    for (const c of channels.keys()) {
      const file = fileOf(name, field, c);
      const pixels = Uint16Array.from({ length: side * side }, (_, i) =>
        pixel({ well, field, c, y: Math.floor(i / side), x: i % side }),
      );
      await writeGreyImage(join(folder, file), pixels, side, side);
      const content = await readFile(join(folder, file));
      digests.set(file, createHash("md5").update(content).digest("hex"));
      await server.put(file, content);
    }
  const onDisk = byChannel("FileName", fileOf);
  const inStore = byChannel("URL", (...at) => `s3://screen/${fileOf(...at)}`);
  const checksums = byChannel("MD5", (...at) => digests.get(fileOf(...at))!);
  await writeFile(join(folder, "disk.csv"), tableOf({ ...onDisk, ...checksums }));
  await writeFile(join(folder, "store.csv"), tableOf({ ...inStore, ...checksums }));
  await writeFile(join(folder, "unlabelled.csv"), tableOf(onDisk, { labels: false }));
  const made = await command(
    ...["model", "new", "--arch", "densenet-small", "--size", `${side}`, "--layout", "disk.csv", "--out", "model"],
  );
  assert.equal(made.code, 0, made.stderr);
  const engine = await openEngine([await readBundle(join(folder, "model"))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { address, close } = await startServer(engine, { listen: "127.0.0.1:0" });
  t.after(() => close(1_000));
  const fromDisk = await callsOf("disk.csv", "disk");

  await t.test("an s3:// table makes the calls of the same images on disk, and again from the cache", async () => {
    assert.match(fromDisk, /^HUVEC-01,P1,B02,treatment,0,\d/m);
    assert.equal(await callsOf("store.csv", "store"), fromDisk);
    assert.equal(await callsOf("store.csv", "again"), fromDisk);
    assert.equal(await callsOf("store.csv", "mapped", "--map", `s3://screen=${folder}`), fromDisk);
  });

  await t.test("an OME-Zarr plate makes them too, on disk and in the store", async () => {
    const expected = await callsOf("unlabelled.csv", "unlabelled");
    const files = omeZarrPlate({
      ...{ version: "0.5", wells: wells.map((name) => `${name[0]}/${name.slice(1)}`), channels, side, pixel },
      fields: fields.length,
    });
    await writeFiles(join(folder, "HUVEC-01.zarr"), files);
    for (const [name, content] of files) await server.put(`HUVEC-01.zarr/${name}`, content);
    assert.equal(await callsOf("HUVEC-01.zarr", "zarr"), expected);
    assert.equal(await callsOf("s3://screen/HUVEC-01.zarr", "remote-zarr"), expected);
  });

  await t.test("with a plate map it makes the calls of the table that has the labels", async () => {
    const rows = wells.map((name, well) => `P1,${name},${well},${name === "C03" ? "negcon" : "trt"}`);
    await writeFile(join(folder, "wells.csv"), ["plate,well,sirna,well type", ...rows].join("\n"));
    assert.equal(await callsOf("HUVEC-01.zarr", "mapped-zarr", "--plate-map", "wells.csv"), fromDisk);
    const refused = await command("data", "info", "disk.csv", "--plate-map", "wells.csv");
    assert.match(
      refused.stderr,
      /a plate map is for images whose files do not say what is in the wells; .*disk\.csv has a table/,
    );
  });

  await t.test("what export writes holds the same pixels, the calls and the channels", async () => {
    const { code, stderr } = await command("data", "export", "disk", "--ome-zarr", "pictures", "--json");
    assert.equal(code, 0, stderr);
    const again = await command("data", "export", "disk", "--ome-zarr", "pictures");
    assert.match(again.stderr, /P1\.zarr is there already/);
    const exported = join(folder, "pictures", "HUVEC-01");
    const [before, after] = [await openDataset(join(folder, "disk.csv")), await openDataset(exported)];
    assert.deepEqual([after.layout, after.channels], ["ome-zarr", channels]);
    const [original, copy] = [await before.load("HUVEC-01"), await after.load("HUVEC-01")];
    assert.equal(copy.sites.length, original.sites.length);
    for (const [i, site] of copy.sites.entries()) {
      assert.deepEqual([site.well, site.site, site.plate], [sites[i]!.name, sites[i]!.field + 1, "P1"]);
      assert.deepEqual((await readSite(site.images)).pixels, (await readSite(original.sites[i]!.images)).pixels);
    }
    const plate = join(exported, "P1.zarr");
    assert.equal(await readFile(join(plate, "calls.csv"), "utf8"), fromDisk);
    const { labels } = JSON.parse(await readFile(join(plate, "B/03/0/labels/.zattrs"), "utf8"));
    assert.deepEqual(labels, ["calls"]);
    const about = JSON.parse(await readFile(join(plate, "B/03/0/labels/calls/.zattrs"), "utf8"))["image-label"];
    const [, , , , truth, call, confidence] = fromDisk.split("\n")[2]!.split(",");
    const [{ "label-value": value, ...shown }] = about.properties;
    assert.deepEqual([shown.well, shown.sirna, shown.call], ["B03", truth, call]);
    assert.ok(Math.abs(shown.confidence - Number(confidence)) < 1e-6);
    assert.deepEqual(about.colors[0]["label-value"], value);
    const label = (await readSite([{ kind: "plane", location: join(plate, "B/03/0/labels/calls") }])).pixels;
    assert.deepEqual(label, new Uint16Array(side * side).fill(value));
  });

  await t.test("a changed pixel that no format shows: refused by its checksum, on disk and in the store", async () => {
    const file = fileOf("B03", 0, 1);
    await writeGreyImage(join(folder, file), new Uint16Array(side * side).fill(7), side, side);
    await server.put(file, await readFile(join(folder, file)));
    for (const [data, place] of [
      ["disk.csv", join(folder, file)],
      ["store.csv", `s3://screen/${file}`],
    ] as const) {
      const verified = await command("data", "verify", data);
      assert.equal(verified.code, 2);
      const reason = `${place}: the file was changed or damaged: its md5 is `;
      assert.ok(verified.stdout.includes(`well B03 site 1: ${reason}`), verified.stdout);
      const calls = await callsOf(data, `changed-${data}`);
      const row = calls.split("\n").find((line) => line.startsWith("HUVEC-01,P1,B03"))!;
      assert.ok(row.includes("sites-missing") && row.includes(`site 1: ${reason}`), row);
    }
  });
});
