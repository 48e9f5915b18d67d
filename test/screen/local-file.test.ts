import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { readSite, readSourceHeader } from "../../screen/read-site.ts";
import { temporaryFolder } from "../kit/experiment.ts";

test("what is not a readable regular file is named at once, with what it is", { timeout: 20_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const at = (name: string) => join(folder, name);
  execFileSync("mkfifo", [at("pipe.tif")]);
  await mkdir(at("folder.tif"));
  await symlink(at("loop.tif"), at("loop.tif"));
  await writeFile(at("empty.tif"), "");
  await writeFile(at("zeros.tif"), new Uint8Array(500));
  await writeFile(at("page.tif"), "<html>404 not found</html>");
  await writeFile(at("photo.tif"), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0));
  const cases = {
    "pipe.tif": /not a regular file \(a pipe, socket or device\)/,
    "folder.tif": /this is a folder, not a file/,
    "loop.tif": /a loop of symbolic links/,
    "empty.tif": /the file is empty \(0 bytes\)/,
    "zeros.tif": /damaged: it begins with zeros/,
    "page.tif": /a text \(HTML or XML\), perhaps the error page of a download/,
    "photo.tif": /a JPEG, whose compression changes the measured values/,
    "none.tif": /the file is missing/,
    "empty.tif/x.tif": /the file is missing: a part of its path is a file/,
  };
  for (const [name, words] of Object.entries(cases)) {
    for (const work of [readSite([imageAt(at(name))]), readSourceHeader(imageAt(at(name)))])
      await assert.rejects(work, (error: Error) => {
        assert.match(error.message, words);
        assert.ok(error.message.includes(at(name)));
        return true;
      });
  }
});

test("a file without read permission says so", async (t) => {
  const path = join(await temporaryFolder(t), "secret.png");
  await writeGreyImage(path, new Uint8Array(16), 4, 4);
  await chmod(path, 0);
  await chmod(join(path, ".."), 0o755);
  const root = process.geteuid!() === 0; // whom permissions do not stop
  if (root) process.seteuid!(65534);
  try {
    await assert.rejects(readSite([imageAt(path)]), /secret\.png: no permission to read the file/);
  } finally {
    if (root) process.seteuid!(0);
  }
});

test("a rectangle is not squashed into a square", async (t) => {
  const path = join(await temporaryFolder(t), "wide.png");
  await writeGreyImage(
    path,
    Uint8Array.from({ length: 32 }, (_, i) => i),
    8,
    4,
  );
  await assert.rejects(
    readSite([imageAt(path)], { resize: 4 }),
    /8x4 pixels would be squashed into 4x4; cut out a square before \(decode\.crop: 4\)/,
  );
  const { pixels } = await readSite([imageAt(path)], { crop: 4 });
  assert.deepEqual([...pixels.subarray(0, 4)], [2, 3, 4, 5]);
});
