import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { openDataRoots } from "../../cli/parts/data-roots.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** `root/` is what a node was given, `outside/` lies beside it; `write` makes a dataset whose table names one image. */
const setup = async (t: TestContext) => {
  const folder = await temporaryFolder(t);
  const [root, outside] = [join(folder, "root"), join(folder, "outside")];
  const write = async (at: string, image = "image.png"): Promise<string> => {
    await mkdir(at, { recursive: true });
    await writeGreyImage(join(at, "image.png"), new Uint8Array(64), 8, 8);
    const rows = ["URL_DNA,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site", `${image},E,P1,B02,1`];
    await writeFile(join(at, "load_data.csv"), rows.join("\n"));
    return at;
  };
  await mkdir(root);
  await write(outside);
  const load = await openDataRoots([root], {});
  const read = async (data: string) => {
    return load({ id: "E", cellType: "unknown", data });
  };
  return { root, outside, write, read };
};

const refused = {
  code: "invalid-data",
  message: /\[invalid-data\] a node reads under its data roots only \(.*\), and the job names /,
};

test("a node reads what lies under its data roots", async (t) => {
  const { root, outside, write, read } = await setup(t);
  await write(join(root, "screen"));
  assert.equal((await read(join(root, "screen"))).sites.length, 1);
  assert.equal((await read(join(root, "screen", "load_data.csv"))).sites.length, 1);
  assert.equal((await read(`${outside}/../root/./screen`)).sites.length, 1);
});

test("a job cannot name another place: absolute, with .., or one whose name begins alike", async (t) => {
  const { root, outside, write, read } = await setup(t);
  await write(`${root}-2`);
  const other = [outside, join(outside, "load_data.csv"), `${root}/../outside`, `${root}-2`, "/", "/etc", ".", ""];
  for (const data of [...other, relative(process.cwd(), outside), `${root}/none/../../outside`, `${root}\0`]) {
    await assert.rejects(read(data), refused, JSON.stringify(data));
  }
});

test("a link cannot lead a job outside: of a folder, of a table, above it, of an image", async (t) => {
  const { root, outside, write, read } = await setup(t);
  await symlink(outside, join(root, "folder"));
  await assert.rejects(read(join(root, "folder")), refused);
  await assert.rejects(read(join(root, "folder", "load_data.csv")), refused);

  for (const [at, dataset] of [
    ["table", "table"],
    ["download/rxrx1", "download"],
  ] as const) {
    await mkdir(join(root, at, "images"), { recursive: true });
    await writeFile(join(outside, "secret.csv"), "not,for,others\n");
    await symlink(join(outside, "secret.csv"), join(root, at, "metadata.csv"));
    await assert.rejects(read(join(root, dataset)), (error: Error) => {
      assert.match(error.message, refused.message);
      assert.ok(!error.message.includes("not,for"), error.message);
      return true;
    });
  }

  await mkdir(join(root, "tree", "batch", "plate"), { recursive: true });
  await symlink(join(outside, "load_data.csv"), join(root, "tree", "batch", "plate", "load_data.csv"));
  await assert.rejects(read(join(root, "tree")), refused);

  const screen = await write(join(root, "screen"));
  await rename(join(screen, "image.png"), join(outside, "moved.png"));
  await symlink(join(outside, "moved.png"), join(screen, "image.png"));
  await assert.rejects(read(screen), refused);
});

test("a table cannot name images outside", async (t) => {
  const { root, outside, write, read } = await setup(t);
  const images = [join(outside, "image.png"), "../../outside/image.png", `file://${outside}/image.png`];
  for (const [index, image] of images.entries()) {
    await assert.rejects(read(await write(join(root, `screen-${index}`), image)), refused, image);
  }
});

test("links within the data roots are followed", async (t) => {
  const { root, write, read } = await setup(t);
  const screen = await write(join(root, "screen"), "linked.png");
  await symlink(join(screen, "image.png"), join(screen, "linked.png"));
  await symlink(screen, join(root, "other-name"));
  assert.equal((await read(join(root, "other-name"))).sites.length, 1);
});

test("a dataset that was right is looked at again for every job", async (t) => {
  const { root, outside, write, read } = await setup(t);
  const screen = await write(join(root, "screen"));
  await read(screen);
  await rm(screen, { recursive: true });
  await symlink(outside, screen);
  await assert.rejects(read(screen), refused);
});

test("a data root must be there", async () => {
  await assert.rejects(openDataRoots(["/no/such/folder"], {}), /\[invalid-config\] --data-root must be a folder/);
});

test("a node fetches images from the addresses that it was given, and from no other", async (t) => {
  const { root, write } = await setup(t);
  const load = await openDataRoots([root, "s3://screen/plates"], {});
  const read = async (image: string) =>
    load({ id: "E", cellType: "unknown", data: await write(join(root, "a"), image) });
  assert.equal((await read("s3://screen/plates/1/x.tif")).sites.length, 1);
  const elsewhere = ["s3://screen/other/x.tif", "s3://screen/plates2/x.tif", "s3://screen/plates/../other/x.tif"];
  for (const image of [...elsewhere, "s3://screen/plates/%2e%2e/other/x.tif", "http://169.254.169.254/latest"])
    await assert.rejects(
      read(image),
      /a node fetches images from its data roots only \(s3:\/\/screen\/plates\)/,
      image,
    );
});
