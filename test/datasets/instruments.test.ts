import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type OpenOptions, openDataset } from "../../datasets/open.ts";
import { imageAt, locationsOf, maximumOf } from "../../screen/image-source.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** Files by their paths; those without a text are empty. */
const write = async (t: TestContext, files: Record<string, string> | readonly string[]): Promise<string> => {
  const root = join(await temporaryFolder(t), "Screen1");
  const entries = Array.isArray(files) ? files.map((path) => [path, ""] as const) : Object.entries(files);
  for (const [path, text] of entries) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
};

const imagesOf = async (root: string, options: OpenOptions = {}) => {
  const dataset = await openDataset(root, options);
  const { sites } = await dataset.load("Screen1");
  return {
    layout: dataset.layout,
    channels: dataset.channels,
    sites: sites.map(({ plate, well, site, images }) => [
      `${plate} ${well} ${site}`,
      images.flatMap(locationsOf).map((path) => path.slice(root.length + 1)),
    ]),
  };
};

const guid = "66923EBB-9960-4952-8955-D1721D112EE2";

test("ImageXpress: plates, time points and planes from folders, channels from the HTD file, no thumbnails", async (t) => {
  const files = ["B02_s1", "AA11_s2"].flatMap((site) =>
    [1, 2].flatMap((wave) => [`P1/TimePoint_1/x_${site}_w${wave}.TIF`, `P1/TimePoint_2/x_${site}_w${wave}.TIF`]),
  );
  const root = await write(t, {
    ...Object.fromEntries(files.map((path) => [path, ""])),
    "P1/TimePoint_1/x_B02_s1_w1_thumb66923EBB-9960-4952-8955-D1721D112EE2.tif": "",
    "P1/plate.HTD": '"HTSInfoFile", Version 1.0\n"WaveName1", "DAPI"\n"WaveName2", "FITC"\n',
  });
  await assert.rejects(openDataset(root), /there are several time points \(1, 2\): choose one with --time 1/);
  assert.deepEqual(await imagesOf(root, { time: 2 }), {
    layout: "imagexpress",
    channels: ["DAPI", "FITC"],
    sites: [
      ["P1 B02 1", ["P1/TimePoint_2/x_B02_s1_w1.TIF", "P1/TimePoint_2/x_B02_s1_w2.TIF"]],
      ["P1 AA11 2", ["P1/TimePoint_2/x_AA11_s2_w1.TIF", "P1/TimePoint_2/x_AA11_s2_w2.TIF"]],
    ],
  });
});

test("ImageXpress: the instrument's projection is read unless a plane is asked for", async (t) => {
  const root = await write(t, [
    `1334/y_E07_s1_w1${guid}.tif`,
    `1334/ZStep_1/y_E07_s1_w1${guid}.tif`,
    `1334/ZStep_2/y_E07_s1_w1${guid}.tif`,
    `1334/ZStep_1/y_E07_s1_w2${guid}.tif`,
  ]);
  const first = async (options: OpenOptions) => (await imagesOf(root, options)).sites[0]![1];
  assert.deepEqual(await first({}), [`1334/y_E07_s1_w1${guid}.tif`, `1334/ZStep_1/y_E07_s1_w2${guid}.tif`]);
  assert.deepEqual(await first({ plane: 2, channels: ["w1"] }), [`1334/ZStep_2/y_E07_s1_w1${guid}.tif`]);
  assert.deepEqual(await first({ plane: "max", channels: ["w1"] }), [
    `1334/ZStep_1/y_E07_s1_w1${guid}.tif`,
    `1334/ZStep_2/y_E07_s1_w1${guid}.tif`,
  ]);
  await assert.rejects(openDataset(root, { plane: 7 }), /--plane 7 is not one of the planes \(1, 2\)/);
});

const record = (row: number, column: number, field: number, z: number, channel: number, type = "IMG") =>
  `<bts:MeasurementRecord bts:Type="${type}" bts:Column="${column}" bts:Row="${row}" bts:TimePoint="1" ` +
  `bts:FieldIndex="${field}" bts:ZIndex="${z}" bts:Ch="${channel}">F${field}Z${z}C${channel}.tif</bts:MeasurementRecord>`;

test("Yokogawa: every image of MeasurementData.mlf, its failures left out, names of plate and channels", async (t) => {
  const xmlns = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"';
  const root = await write(t, {
    "run/MeasurementData.mlf": `<?xml version="1.0"?><bts:MeasurementData ${xmlns}>${[
      record(4, 8, 1, 1, 1),
      record(4, 8, 1, 2, 1),
      record(4, 8, 1, 1, 2),
      record(4, 8, 1, 2, 2),
      record(4, 8, 2, 1, 1, "ERR"),
    ].join("\n")}</bts:MeasurementData>`,
    "run/MeasurementDetail.mrf": `<bts:MeasurementDetail ${xmlns}><bts:MeasurementSamplePlate bts:Name="BC&amp;7"/></bts:MeasurementDetail>`,
    "run/x.mes":
      `<bts:MeasurementSetting ${xmlns}><bts:ChannelList><bts:Channel bts:Ch="1" bts:Target="405" bts:Fluorophore=""/>` +
      '<bts:Channel bts:Ch="2" bts:Target="488" bts:Fluorophore=""/></bts:ChannelList></bts:MeasurementSetting>',
  });
  await assert.rejects(
    openDataset(root),
    /the sites are stacks of planes \(1, 2\): choose one with --plane 2, or their/,
  );
  assert.deepEqual(await imagesOf(root, { plane: 2 }), {
    layout: "cv8000",
    channels: ["405", "488"],
    sites: [["BC&7 D08 1", ["run/F1Z2C1.tif", "run/F1Z2C2.tif"]]],
  });
  const dataset = await openDataset(root, { plane: "max", channels: ["488"] });
  assert.match(dataset.notes[0]!, /1 images failed in the microscope/);
  const [site] = (await dataset.load("Screen1")).sites;
  const planes = ["F1Z1C2.tif", "F1Z2C2.tif"].map((name) => imageAt(join(root, "run", name)));
  assert.deepEqual(site!.images, [maximumOf(planes)]);
});

const phenix = (channel: number, name: string, state = "Ok") =>
  `<Image Version="1"><id>0${channel}</id><State>${state}</State><URL>r02c03f01p01-ch${channel}sk1fk1fl1.tiff</URL>` +
  `<Row>2</Row><Col>3</Col><FieldID>1</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID>` +
  `<ChannelID>${channel}</ChannelID>${name === "" ? "" : `<ChannelName>${name}</ChannelName>`}</Image>`;

test("Opera Phenix: the images of Index.idx.xml, channel names of both versions of it", async (t) => {
  const plate = "<Plates><Plate><PlateID>BR001</PlateID></Plate></Plates>";
  const maps = '<Maps><Map><Entry ChannelID="1"><ChannelName>HOECHST 33342</ChannelName></Entry></Map></Maps>';
  const index = (inside: string) =>
    `\ufeff<?xml version="1.0"?><EvaluationInputData xmlns="x">${inside}</EvaluationInputData>`;
  const root = await write(t, {
    "BR001__Measurement 1/Images/Index.idx.xml": index(
      `${plate}<Images>${phenix(1, "HOECHST 33342")}${phenix(2, "Alexa 488")}</Images>`,
    ),
  });
  const folder = "BR001__Measurement 1/Images";
  assert.deepEqual(await imagesOf(root), {
    layout: "harmony",
    channels: ["Alexa 488", "HOECHST 33342"],
    sites: [["BR001 B03 1", [`${folder}/r02c03f01p01-ch2sk1fk1fl1.tiff`, `${folder}/r02c03f01p01-ch1sk1fk1fl1.tiff`]]],
  });
  const newer = await write(t, {
    "Images/Index.xml": index(`${plate}${maps}<Images>${phenix(1, "")}${phenix(2, "", "Aborted")}</Images>`),
  });
  const read = await openDataset(join(newer, "Images"));
  assert.deepEqual([read.channels, read.experiments[0]!.id], [["HOECHST 33342"], "Screen1"]);
  assert.match(read.notes.join(), /1 images failed in the microscope/);
  await writeFile(join(newer, "Images/Index.xml"), "<EvaluationInputData><Images>");
  await assert.rejects(openDataset(newer), /Index\.xml is not XML: /);
});

test("OME-TIFF with a companion file: fields of wells, and the page of each channel", async (t) => {
  const pixels = (data: string, order = "XYCZT") =>
    `<Image ID="Image:0"><Pixels DimensionOrder="${order}" SizeC="2" SizeZ="1" SizeT="1" Type="uint16">` +
    `<Channel ID="c:0" Name="DNA"/><Channel ID="c:1" Name="ER"/>${data}</Pixels></Image>`;
  const ome = (data: string) =>
    `<?xml version="1.0"?><OME><Plate ID="Plate:0" Name="P7"><Well ID="w" Row="1" Column="2"><WellSample ID="s" Index="0">` +
    `<ImageRef ID="Image:0"/></WellSample></Well></Plate>${pixels(data)}</OME>`;
  const file = '<UUID FileName="a.ome.tif">urn:uuid:1</UUID>';
  const expected = [imageAt(join("a.ome.tif"), { frame: 0 }), imageAt(join("a.ome.tif"), { frame: 1 })];
  for (const data of [
    `<TiffData IFD="0" FirstC="0" PlaneCount="1">${file}</TiffData><TiffData IFD="1" FirstC="1" PlaneCount="1">${file}</TiffData>`,
    `<TiffData IFD="0" PlaneCount="2">${file}</TiffData>`,
    `<TiffData>${file}</TiffData>`,
  ]) {
    const root = await write(t, { "plate.companion.ome": ome(data) });
    const dataset = await openDataset(root);
    assert.deepEqual(dataset.channels, ["DNA", "ER"]);
    const [site] = (await dataset.load("Screen1")).sites;
    assert.deepEqual([site!.plate, site!.well, site!.site], ["P7", "B03", 1]);
    const images = site!.images.map((image) => ({ ...image, location: locationsOf(image)[0]!.slice(root.length + 1) }));
    assert.deepEqual(images, expected);
  }
});
