/** Tables and images of a dataset. */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Attack, Door } from "../attack.ts";
import type { Scene } from "../scene.ts";
import { clear, refused, served, unclear, type Verdict } from "../verdict.ts";
import { fifoAt } from "./bundles.ts";

const head = "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_DNA,PathName_DNA";

const info = async (scene: Scene, folder: string, limitSeconds = 40) =>
  scene.pipeline(["data", "info", folder], { limitSeconds });

/** A `load_data.csv` of these bytes. */
const table = (
  input: string,
  before: string,
  bytes: string | (() => Uint8Array),
  ...names: readonly RegExp[]
): Attack => ({
  input: `load_data.csv: ${input}`,
  before,
  async run(scene) {
    await writeFile(scene.path("load_data.csv"), typeof bytes === "string" ? bytes : bytes());
    return refused(await info(scene, scene.folder), /load_data\.csv/, ...names);
  },
});

const special = (input: string, make: string): Attack => ({
  input: `load_data.csv: ${input}`,
  before: "hung without a word, or [internal]",
  async run(scene) {
    await scene.shell(`${make} ${scene.path("load_data.csv")}`);
    return refused(await info(scene, scene.folder, 30), /load_data\.csv/);
  },
});

/** A dataset in which one image is something else; its site must be left out, or the run refused, with the file's name. */
const image = (input: string, before: string, make: (path: string, scene: Scene) => Promise<unknown>): Attack => ({
  input: `an image: ${input}`,
  before,
  async run(scene) {
    const data = await scene.copyData();
    const listed = await scene.shell(`find ${data}/images/HUVEC-01 -name '*.png' | sort | head -1`);
    const path = listed.out.trim();
    await scene.run("rm", [path]);
    await make(path, scene);
    const ended = await scene.start([], { data, limitSeconds: 80 });
    if (ended.code !== 0) return refused(ended, /\.png/);
    const report = await readFile(scene.path("out", "experiments", "HUVEC-01", "report.json"), "utf8");
    const name = path.split("/").at(-1)!;
    return served(ended, () =>
      report.includes(name) ? undefined : `exit code 0, and no word of ${name} in the report`,
    );
  },
});

/** An id that JavaScript's objects know. */
const named = (column: "experiment" | "plate" | "well"): Attack => ({
  input: `metadata.csv: ${column} called __proto__`,
  before: column === "experiment" ? "dropped without a word" : "called",
  async run(scene) {
    const data = await scene.copyData();
    const path = join(data, "metadata.csv");
    const [first, ...rest] = (await readFile(path, "utf8")).trimEnd().split("\n");
    const at = first!.split(",").indexOf(column);
    const value = rest[0]!.split(",")[at];
    const renamed = rest.map((line) => {
      const cells = line.split(",");
      if (cells[at] === value) cells[at] = "__proto__";
      return cells.join(",");
    });
    await writeFile(path, `${[first, ...renamed].join("\n")}\n`);
    if (column === "experiment")
      await scene.run("mv", [join(data, "images", value!), join(data, "images", "__proto__")]);
    const ended = await scene.start([], { data });
    if (ended.code !== 0) return refused(ended, /__proto__/);
    const calls = await readFile(scene.path("out", "calls.csv"), "utf8");
    return calls.includes("__proto__") ? clear("called") : unclear("exit code 0, and no call of it");
  },
});

/** As many rows as a plate reader's archive has: 40 plates of 384 wells with 13 sites. */
export const writeLongTable = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "load_data.csv");
  await writeFile(path, `${head}\n`);
  for (let plate = 1; plate <= 40; plate++) {
    const lines: string[] = [];
    for (let row = 0; row < 16; row++) {
      for (let column = 1; column <= 24; column++) {
        const well = `${String.fromCharCode(65 + row)}${String(column).padStart(2, "0")}`;
        for (let site = 1; site <= 13; site++)
          lines.push(`P${plate},${well},${site},${well}_${site}.tif,img/P${plate}`);
      }
    }
    await appendFile(path, `${lines.join("\n")}\n`);
  }
};

const row = "P1,A01,1,a.tif,img";

export const tables: Door = {
  name: "tables",
  attacks: [
    special("a FIFO", "mkfifo"),
    special("a folder", "mkdir"),
    special("a link to itself", "ln -s load_data.csv"),
    special("a link to /dev/zero", "ln -s /dev/zero"),
    table("empty", "refused", ""),
    table("a header alone", "refused", `${head}\n`),
    table("a million columns", "refused", Array.from({ length: 1_000_000 }, (_, index) => `c${index}`).join(",")),
    {
      input: "load_data.csv: a cell of 64 MB",
      before: "read",
      async run(scene) {
        await writeFile(scene.path("load_data.csv"), `${head}\nP1,A01,1,${"a".repeat(2 ** 26)},img\n`);
        const ended = await info(scene, scene.folder, 60);
        return ended.code === 0 ? served(ended) : refused(ended, /load_data\.csv/);
      },
    },
    table("a quote that never ends", "refused", `${head}\nP1,"A01,1,a.tif,img\n`),
    table("bytes of no encoding", "refused", () =>
      Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 151) % 256)),
    ),
    table("only NUL", "refused", () => Buffer.alloc(1 << 20)),
    table("a site of 1e308", "taken", `${head}\n${row.replace(",1,", ",1e308,")}\n`, /[Ss]ite/),
    table("a site of -1", "refused", `${head}\n${row.replace(",1,", ",-1,")}\n`, /[Ss]ite/),
    table("two rows for the same site", "refused", `${head}\n${row}\n${row}\n`, /twice|two|same|again|already/),
    named("experiment"),
    named("plate"),
    named("well"),
    {
      input: "a folder that links to itself",
      before: "[internal] ELOOP and a stack",
      async run(scene) {
        await scene.run("ln", ["-s", "loop", scene.path("loop")]);
        return refused(await info(scene, scene.path("loop")), /loop/);
      },
    },
    {
      input: "info of 200,000 rows",
      before: "13 s and 671 MB",
      limitSeconds: 120,
      run: (scene) => long(scene),
    },
    image("a FIFO", "hung without a word", (path, scene) => scene.run("mkfifo", [path])),
    image("a link to /dev/zero", "hung or died", (path, scene) => scene.run("ln", ["-s", "/dev/zero", path])),
    image("a folder", "left out", (path) => mkdir(path)),
    image("0 bytes", "left out", (path) => writeFile(path, "")),
    image("a PNG of 100,000 x 100,000 pixels, in 100 bytes", "left out", (path) => writeFile(path, hugePng)),
    {
      input: "verify: an image that is a FIFO",
      before: "hung without a word",
      async run(scene) {
        const data = await scene.copyData();
        const path = (await scene.shell(`find ${data}/images/HUVEC-01 -name '*.png' | sort | head -1`)).out.trim();
        await scene.run("rm", [path]);
        await scene.run("mkfifo", [path]);
        const ended = await scene.pipeline(["data", "verify", data], { limitSeconds: 60 });
        const listed = ended.code === 2 && /\.png: this is not a regular file/.test(ended.out + ended.err);
        return listed ? clear("listed, with its kind") : refused(ended, /\.png/);
      },
    },
    {
      input: "info of a FIFO",
      before: "hung without a word",
      async run(scene) {
        return refused(await info(scene, await fifoAt(scene, "table.csv"), 30), /table\.csv/);
      },
    },
  ],
};

const long = async (scene: Scene): Promise<Verdict> => {
  await writeLongTable(scene.path("long"));
  const ended = await info(scene, scene.path("long"), 100);
  const cost = `${ended.seconds.toFixed(1)} s and ${ended.peakMiB.toFixed(0)} MiB`;
  return served(ended, () => (ended.peakMiB > 450 || ended.seconds > 20 ? cost : undefined)).kind === "clear"
    ? clear(cost)
    : unclear(`${cost}: ${ended.err.slice(-200)}`);
};

/** Only a header: 16 bit grey, 100,000 x 100,000. */
const hugePng = Buffer.concat([
  Buffer.from("89504e470d0a1a0a0000000d49484452000186a0000186a010000000005a5a5a5a", "hex"),
  Buffer.from("0000000049454e44ae426082", "hex"),
]);
