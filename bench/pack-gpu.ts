/**
 * `npm run pack:gpu`: one folder, `dist-gpu/`, with everything that measures a bare Linux host with a graphics card:
 * Node, the compiled code, the libraries of this platform, the parity cases, the demo's bundle. `sh dist-gpu/run.sh` runs it.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { packageFile } from "../common/package-file.ts";

const target = packageFile("dist-gpu");
const mostMiB = 60;

/** What the programs of `bench/gpu-host.ts` import. */
const packages = [
  ...["onnxruntime-node", "protobufjs", "zod", "lru-cache"],
  ...["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "@tensorflow/tfjs-backend-webgpu", "webgpu"],
];
/** Needed by scripts of installation alone. */
const unneeded = ["adm-zip", "global-agent"];
const ours = ["package.json", "proto", "gpu-worker/runtime/onnx/onnx.proto", "test/data/parity", "models/demo"];
const code = ["bench", "common", "gpu-worker", "pipeline", "training", "test/gpu-worker"];

const other = [
  /\.map$/,
  /\.d\.[cm]?ts$/,
  /\.ts$/,
  /\.es2017/,
  /\.fesm/,
  /\.min\.js$/,
  /\/(zod|tfjs-[a-z]+)\/src\//,
  /\.md$/,
];
const foreign = /(darwin|win32)[-/]|\/(linux\/)?arm64\/|linux-arm64/;
const wanted = (path: string): boolean => !foreign.test(path) && !other.some((pattern) => pattern.test(path));

const withDependencies = async (name: string, seen: Set<string>): Promise<Set<string>> => {
  if (seen.has(name) || unneeded.includes(name)) return seen;
  seen.add(name);
  const manifest = JSON.parse(await readFile(packageFile(`node_modules/${name}/package.json`), "utf8"));
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    if (!dependency.startsWith("@types/")) await withDependencies(dependency, seen);
  }
  return seen;
};

const runScript = `#!/bin/sh
# Unpacks the package beside this file, measures this host, and writes gpu.json here. Needs tar and xz, and no network.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xJf "$here/package.tar.xz" -C "$work"
for library in "$here"/libonnxruntime_providers_*.so; do
  [ ! -e "$library" ] || cp "$library" "$work/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/"
done
"$work/node" "$work/dist/bench/gpu-host.js" "\${1:-$here/gpu.json}"
`;

const staging = await mkdtemp(join(tmpdir(), "platestream-gpu-"));
try {
  for (const path of ours) await cp(packageFile(path), join(staging, path), { recursive: true });
  for (const room of code) {
    await cp(packageFile(`dist/${room}`), join(staging, "dist", room), { recursive: true, filter: wanted });
  }
  const all = new Set<string>();
  for (const name of packages) await withDependencies(name, all);
  const modules = packageFile("node_modules");
  for (const name of all) {
    const from = join(modules, name);
    const filter = (path: string) => wanted(`/${relative(modules, path)}`);
    await cp(from, join(staging, "node_modules", name), { recursive: true, filter });
  }
  await cp(process.execPath, join(staging, "node"), { dereference: true });
  try {
    execFileSync("strip", [join(staging, "node")], { stdio: "ignore" });
  } catch {
    // without binutils it is a little larger
  }
  await rm(target, { recursive: true, force: true });
  await mkdir(target);
  const archive = join(target, "package.tar.xz");
  execFileSync("tar", ["-cJf", archive, "-C", staging, "."], { env: { ...process.env, XZ_OPT: "-3 -T0" } });
  await writeFile(join(target, "run.sh"), runScript, { mode: 0o755 });
  const size = (await stat(archive)).size / 2 ** 20;
  process.stdout.write(`dist-gpu: ${size.toFixed(1)} MiB; on the host: sh dist-gpu/run.sh\n`);
  if (size > mostMiB) {
    process.stderr.write(`that is more than ${mostMiB} MiB\n`);
    process.exitCode = 1;
  }
} finally {
  await rm(staging, { recursive: true, force: true });
}
