import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type OpenOptions, openDataset } from "../../datasets/open.ts";
import { type Problem, sentenceOf } from "../../datasets/problems.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const rows = [
  ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_broad_sample", "Metadata_Conc", "FileName_OrigDNA"],
  ["P1", "B02", "1", "BRD-1", "5 µM", "a.tif"],
  ["P1", "B02", "2", "BRD-1", "5 µM", "b.tif"],
  ["P1", "B03", "1", "BRD-2", "5 µM", "c.tif"],
];
const text = (separator: string, ending = "\n") => rows.map((row) => row.join(separator)).join(ending);

const write = async (t: TestContext, content: string | Uint8Array): Promise<string> => {
  const path = join(await temporaryFolder(t), "load_data.csv");
  await writeFile(path, content);
  return path;
};

/** What there is to be read of the table, and what is wrong with it. */
const read = async (path: string, options: OpenOptions = {}) => {
  const problems: string[] = [];
  const onProblems = (found: readonly Problem[]) =>
    void problems.push(...found.map((each) => sentenceOf(each).replace(`${path}:`, "")));
  const dataset = await openDataset(path, { ...options, onProblems });
  const { sites } = dataset.experiments.length === 0 ? { sites: [] } : await dataset.load("load_data");
  return {
    problems,
    notes: dataset.notes.map((note) => note.replace(`${path}`, "TABLE")),
    sites: sites.map(({ plate, well, site, treatment = "none", metadata }) =>
      [plate, well, site, treatment, metadata.Conc].join(" "),
    ),
  };
};

const right = ["P1 B02 1 BRD-1 5 µM", "P1 B02 2 BRD-1 5 µM", "P1 B03 1 BRD-2 5 µM"];

const utf16 = (content: string, mark: boolean) => Buffer.from(`${mark ? "\ufeff" : ""}${content}`, "utf16le");

for (const [name, content] of [
  ["semicolons", text(";")],
  ["tabs", text("\t")],
  ["bars", text("|")],
  ["CRLF", text(",", "\r\n")],
  ["CR, as old Macs wrote", text(",", "\r")],
  ["a byte order mark and blank lines", `\ufeff\n${text(",", "\n\n")}\n\n`],
  ["rows of separators, as Excel leaves them", `${text(",")}\n,,,,,\n,,,,,\n`],
  ["Excel's sep= line", `sep=;\n${text(";")}`],
  ["UTF-16 with a mark", utf16(text(","), true)],
  ["UTF-16 without one", utf16(text("\t"), false)],
  ["UTF-16, big end first", utf16(text(","), true).swap16()],
  ["quotes around everything", text(",").replaceAll(/[^,\n]+/g, '"$&"')],
  ["spaces around everything", text(",").replaceAll(/[^,\n]+/g, " $& ")],
  ["Image_ before every column", text(",").replaceAll(/Metadata_|FileName_/g, "Image_$&")],
  [
    "column names in small letters",
    text(",").replace(/^.*$/m, (header) =>
      header.toLowerCase().replace("conc", "Conc").replace("metadata_Conc", "Metadata_Conc"),
    ),
  ],
  ["wells as row and column numbers", text(",").replaceAll(/B0(\d)/g, "r02c0$1")],
  ["wells in words of their own", text(",").replaceAll(/B0(\d)/g, "b-$1")],
  ["sites in text", text(",").replaceAll(/,(\d),/g, ",site_0$1,")],
  ["numbers as pandas writes them", text(",").replaceAll(/,(\d),/g, ",$1.0,")],
] as const) {
  test(`a table with ${name} is read`, async (t) => {
    const { problems, notes, sites } = await read(await write(t, content));
    assert.deepEqual([problems, notes, sites], [[], [], right]);
  });
}

test("bytes that are not UTF-8 are read as Latin-1, with a note, or as the user says", async (t) => {
  const latin = await write(t, Buffer.from(text(","), "latin1"));
  const { sites, notes } = await read(latin);
  assert.deepEqual(sites, right);
  assert.deepEqual(notes, ["TABLE is not UTF-8 and was read as windows-1252 (Latin-1); --encoding names another"]);
  await assert.rejects(openDataset(latin, { encoding: "utf-8" }), /is not in the encoding utf-8; say which it is/);
  await assert.rejects(openDataset(latin, { encoding: "klingon" }), /"klingon" is not an encoding/);
  const greek = await write(t, Buffer.from(text(",").replaceAll("µ", "\xec"), "latin1"));
  assert.equal((await read(greek, { encoding: "iso-8859-7" })).sites[0], "P1 B02 1 BRD-1 5 μM");
});

test("rows with more or fewer fields, and quotes in odd places, are reported by line; the others are read", async (t) => {
  const [header, first, second, third] = text(",").split("\n") as [string, string, string, string];
  const inch = second.replace("5 µM", '5"');
  const path = await write(t, [header, `${first},surplus`, inch, third.replace(",c.tif", ""), `${third},,`].join("\n"));
  const { problems, sites } = await read(path);
  assert.deepEqual(problems, [
    "2: expected 6 fields as in the header, got 7",
    "4: expected 6 fields as in the header, got 5",
  ]);
  assert.deepEqual(sites, ['P1 B02 2 BRD-1 5"', "P1 B03 1 BRD-2 5 µM"]);
  const broken = await write(t, [header, first.replace("5 µM", '"5" disc"'), third].join("\n"));
  assert.match((await read(broken)).problems[0]!, /^2: a field that begins with a quote ends with one/);
  const lines = await write(t, [header, first.replace("5 µM", '"5\nµM"'), third.replace("B03", "B99")].join("\n"));
  assert.deepEqual((await read(lines)).problems, [
    '4, column Metadata_Well: expected a well from A01 to AF48, got "B99"',
  ]);
});

test("a column that is there twice, and two columns that could be the same, are reported", async (t) => {
  const twice = await write(t, text(",").replace("Metadata_Conc", "Metadata_Well"));
  assert.match((await read(twice)).problems[0]!, /^1, column Metadata_Well: a header names each column once, this one/);
  const alike = await write(t, text(",").replace("Metadata_Conc", "Metadata_well"));
  assert.match(
    (await read(alike)).problems[0]!,
    /several columns could be the well: Metadata_Well, Metadata_well; say which with --column well=NAME/,
  );
});

test("nan, NA and nothing are not classes; the sites of a well have one class and one type", async (t) => {
  const [header, first, second, third] = text(",").split("\n") as [string, string, string, string];
  const empty = [first.replace("BRD-1", "NaN"), second.replace("BRD-1", ""), third.replace("BRD-2", "N/A")];
  assert.deepEqual(
    (await read(await write(t, [header, ...empty].join("\n")))).sites.map((site) => site.split(" ")[3]),
    ["none", "none", "none"],
  );
  const path = await write(t, [header, first, second.replace("BRD-1", "BRD-9"), third].join("\n"));
  assert.deepEqual((await read(path)).problems, [
    `3, column Metadata_broad_sample: the sites of a well have one class: BRD-1 in ${path}:2, BRD-9 here`,
  ]);
});

test("the class is the most specific column that distinguishes wells, or the one that the user names", async (t) => {
  const path = await write(t, text(",").replace("Metadata_Conc", "Metadata_sirna").replaceAll("5 µM", "compound"));
  const { sites, notes } = await read(path);
  assert.match(sites[0]!, / BRD-1 /);
  assert.match(notes[0]!, /Metadata_sirna is the same in all rows, so the class is taken from Metadata_broad_sample/);
  assert.match((await read(path, { columns: { class: "Metadata_sirna" } })).sites[0]!, / compound /);
  await assert.rejects(
    openDataset(path, { columns: { colour: "x" } }),
    /a column is chosen for one of experiment, .*got "colour"/,
  );
  assert.match((await read(path, { columns: { class: "nope" } })).problems[0]!, /--column class=nope names no column/);
});

test("--where skips rows", async (t) => {
  const path = await write(t, `${text(",")}\nP1,B04,IXMtest,BRD-3,1,d.tif`);
  assert.match(
    (await read(path)).problems[0]!,
    /^5, column Metadata_Site: expected the number of a site, got "IXMtest"/,
  );
  for (const where of [
    'Metadata_Site != "IXMtest"',
    'Site =~ "^[0-9]+$"',
    "Metadata_Site <= 2 and not (Metadata_Well == 'B04')",
    "well in ['B02', 'B03']",
    '!(column("Metadata_Site") == "IXMtest")',
  ]) {
    const { problems, sites } = await read(path, { where });
    assert.deepEqual([problems, sites], [[], right], where);
  }
  for (const [where, reason] of [
    ["nope == 1", /--where "nope == 1": .*load_data\.csv has no column nope; it has Metadata_Plate, /],
    ["Site ==", /--where "Site ==": /],
    ["Site.x", /"MemberExpression" has no meaning here/],
    ['Site =~ "("', /Invalid regular expression/],
  ] as const) {
    await assert.rejects(openDataset(path, { where }), reason);
  }
});

test("planes of stacks are chosen or projected", async (t) => {
  const stack = rows.slice(1).flatMap((row) => ["1", "2", "10"].map((z) => [...row.slice(0, 5), `z${z}-${row[5]}`, z]));
  const path = await write(t, [[...rows[0]!, "Metadata_PlaneID"], ...stack].map((row) => row.join(",")).join("\n"));
  assert.match(
    (await read(path)).problems[0]!,
    /the sites are stacks of planes \(1, 2, 10\): choose one with --plane 2/,
  );
  const one = await (await openDataset(path, { plane: 10 })).load("load_data");
  const folder = join(path, "..");
  assert.deepEqual(one.sites[0]!.images, [{ kind: "plane", location: join(folder, "z10-a.tif") }]);
  const all = await (await openDataset(path, { plane: "max" })).load("load_data");
  assert.equal(all.sites.length, 3);
  assert.deepEqual(all.sites[0]!.images, [
    {
      kind: "maximum",
      planes: ["1", "2", "10"].map((z) => ({ kind: "plane", location: join(folder, `z${z}-a.tif`) })),
    },
  ]);
});

test("pages, series and checksums of images", async (t) => {
  const header = "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_DNA,Frame_DNA,Series_DNA,MD5_DNA";
  const md5 = "D41D8CD98F00B204E9800998ECF8427E";
  const path = await write(t, `${header}\nP1,B02,1,a.tif,3,0,${md5}\nP1,B02,2,a.tif,x,0,abc`);
  const { problems } = await read(path);
  assert.deepEqual(problems, ['3, column Frame_DNA: expected a whole number from 0, got "x"']);
  const { sites } = await (await openDataset(path, { where: "Site == 1" })).load("load_data");
  assert.deepEqual(sites[0]!.images, [
    {
      kind: "plane",
      location: join(path, "../a.tif"),
      plane: { frame: 3, series: 0 },
      checksum: { algorithm: "md5", hex: md5.toLowerCase() },
    },
  ]);
});

test("paths of any style", async (t) => {
  const header = "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_DNA,PathName_DNA";
  const images = [
    ["a.tif", "img\\sub"],
    ["img\\sub\\a.tif", ""],
    ["file:///data/Greiner_%23655090_a.tif", ""],
    ["file:///data/Greiner_#655090_a.tif", ""],
    ["a.tif", "s3://bucket/plate/"],
    ["https://host/a%20b.tif", "img"],
  ];
  const path = await write(
    t,
    [header, ...images.map((image, index) => `P1,B02,${index + 1},${image.join(",")}`)].join("\n"),
  );
  const { sites } = await (await openDataset(path)).load("load_data");
  const folder = join(path, "..");
  assert.deepEqual(
    sites.map(({ images: [image] }) => (image?.kind === "plane" ? image.location : undefined)),
    [
      join(folder, "img/sub/a.tif"),
      join(folder, "img/sub/a.tif"),
      "/data/Greiner_#655090_a.tif",
      "/data/Greiner_#655090_a.tif",
      "s3://bucket/plate/a.tif",
      "https://host/a%20b.tif",
    ],
  );
});

test("a tree with one table per plate is one dataset, and links may go in circles", async (t) => {
  const root = await temporaryFolder(t);
  for (const plate of ["P1", "P2"]) {
    const folder = join(root, "load_data_csv", "Batch1", plate);
    await mkdir(folder, { recursive: true });
    for (const name of ["load_data.csv", "load_data_with_illum.csv"]) {
      await writeFile(join(folder, name), text(",").replaceAll("P1", plate));
    }
    await symlink(root, join(folder, "loop"));
  }
  const dataset = await openDataset(root);
  assert.deepEqual(dataset.experiments, [{ id: "Batch1", cellType: "unknown", sites: 6 }]);
  assert.equal(dataset.tables.length, 2);
  await symlink("self", join(root, "self"));
  await assert.rejects(openDataset(join(root, "self")), /its symbolic links lead in a circle/);
});

test("what is not text, no table or no regular file is refused and keeps nobody waiting", {
  timeout: 20_000,
}, async (t) => {
  await assert.rejects(openDataset(await write(t, "")), /is empty; it must start with a header/);
  await assert.rejects(openDataset(await write(t, new Uint8Array(100))), /is not text: it holds zero bytes/);
  const pipe = join(await temporaryFolder(t), "load_data.csv");
  await promisify(execFile)("mkfifo", [pipe]);
  await assert.rejects(openDataset(pipe), /not a regular file/);
});

test("an experiment, a plate and a class may be called __proto__", async (t) => {
  const path = await write(
    t,
    "Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_sirna,Metadata___proto__,URL_DNA\n__proto__,__proto__,B02,1,__proto__,x,a.tif",
  );
  const dataset = await openDataset(path);
  assert.deepEqual(dataset.experiments, [{ id: "__proto__", cellType: "unknown", sites: 1 }]);
  const { sites } = await dataset.load("__proto__");
  assert.equal(sites[0]!.plate, "__proto__");
  assert.equal(sites[0]!.treatment, "__proto__");
});

test("columns of a table may be chosen one by one, and wells given by row and column", async (t) => {
  const path = await write(t, "barcode;row;col;dna file\nP1;B;3;a.tif\nP1;2;4;b.tif");
  const dataset = await openDataset(path, { columns: { "image:DNA": "dna file" } });
  assert.deepEqual(dataset.channels, ["DNA"]);
  const { sites } = await dataset.load("load_data");
  assert.deepEqual(
    sites.map(({ well }) => well),
    ["B03", "B04"],
  );
});
