import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { packageFile } from "../../common/package-file.ts";

const filesIn = async (folder: string, ending: string): Promise<string[]> =>
  (await readdir(packageFile(folder), { recursive: true }))
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file));

test("the package ships every file that the program reads", async () => {
  const pack = ["pack", "--dry-run", "--ignore-scripts", "--json"];
  const { stdout } = await promisify(execFile)("npm", pack, { cwd: packageFile("."), maxBuffer: 2 ** 24 });
  const shipped = new Set((JSON.parse(stdout)[0].files as { path: string }[]).map(({ path }) => path));
  const read = [
    "dist/cli/main.js",
    ...(await filesIn("proto", ".proto")),
    ...(await filesIn("gpu-worker", ".proto")),
    ...(await filesIn("recipes", ".yaml")),
    ...(await filesIn("models", ".safetensors")),
    ...(await filesIn("models", ".json")),
  ];
  assert.ok(read.length > 15);
  assert.deepEqual(
    read.filter((file) => !shipped.has(file)),
    [],
  );
});

test("npm ci runs no install script of a dependency, whatever npm: ONNX Runtime's would download CUDA libraries", async () => {
  // npm 11 goes by allowScripts; npm 10 by what the lock file says of each package, and npm install writes it again.
  const lock = JSON.parse(await readFile(packageFile("package-lock.json"), "utf8"));
  const scripts = Object.entries<{ hasInstallScript?: boolean }>(lock.packages).filter(([, of]) => of.hasInstallScript);
  assert.deepEqual(
    scripts.map(([name]) => name),
    [],
    'delete these packages\' "hasInstallScript" from package-lock.json',
  );
});
