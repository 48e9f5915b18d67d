/** The programs of docs/clients.md, as a stranger would run them. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import sharp from "sharp";
import { openToThisHost } from "../../common/grpc/server-security.ts";
import { packageFile } from "../../common/package-file.ts";
import { readBundle } from "../../gpu-worker/bundle/bundle.ts";
import { openEngine } from "../../gpu-worker/engine/open-engine.ts";
import { startServer } from "../../gpu-worker/services/server.ts";
import { openFileEvents } from "../../pipeline/events/file.ts";
import { openEventPublisher } from "../../pipeline/events/publish.ts";
import { serveResults } from "../../pipeline/events/subscription-server.ts";
import { resultOf } from "../events/suite.ts";
import { pixelsOf, tiny, writeTinyBundle } from "../gpu-worker/tiny-bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const run = promisify(execFile);
const examples = packageFile("docs/clients");
const python = "/usr/bin/python3"; // where Debian's packages are found, whichever python3 comes first on the PATH

interface Language {
  readonly name: string;
  command(program: string): {
    readonly file: string;
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
  };
}

/** TypeScript, and Python where it has what the document asks for. */
const languages = async (t: TestContext): Promise<Language[]> => {
  const { env } = process;
  const compiled = (program: string) => join(import.meta.dirname, `../../docs/clients/${program}.js`);
  const typeScript: Language = {
    name: "TypeScript",
    command: (program) => ({ file: process.execPath, args: [compiled(program)], env }),
  };
  const stubs = await temporaryFolder(t);
  const protos = ["platestream.proto", "results.proto"];
  const into = ["-I", packageFile("proto"), `--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
  try {
    await run(python, ["-c", "import grpc, numpy, PIL, grpc_tools"]);
  } catch {
    t.diagnostic(`${python} has not all of grpcio, grpcio-tools, numpy and pillow: ran the TypeScript program only`);
    return [typeScript];
  }
  await run(python, ["-m", "grpc_tools.protoc", ...into, ...protos]);
  const inStubs = { ...env, PYTHONPATH: stubs };
  const command = (program: string) => ({ file: python, args: [join(examples, `${program}.py`)], env: inStubs });
  return [typeScript, { name: "Python", command }];
};

test("docs/clients.md quotes the programs as they are", async () => {
  const text = await readFile(packageFile("docs/clients.md"), "utf8");
  const files = await readdir(examples);
  assert.deepEqual(files.sort(), ["predict.py", "predict.ts", "subscribe.py", "subscribe.ts", "triton.py"]);
  for (const file of files) {
    const fence = extname(file) === ".py" ? "python" : "ts";
    const program = await readFile(join(examples, file), "utf8");
    assert.ok(text.includes(`\`\`\`${fence}\n${program}\`\`\``), `${file} is quoted`);
  }
});

test("predict reads a plate's images, and names the class that a worker gives every site", async (t) => {
  const folder = join(await temporaryFolder(t), "Plate1");
  const sites = await writePlate(folder, 40);
  const engine = await openEngine([await readBundle(await writeTinyBundle(t))], { provider: "cpu", threads: 1 });
  t.after(() => engine.close());
  const { address, close } = await startServer(engine, { listen: "127.0.0.1:0" });
  t.after(() => close(1_000));
  const said: string[] = [];
  for (const { command } of await languages(t)) {
    const { file, args, env } = command("predict");
    const { stdout } = await run(file, [...args, address, "HUVEC", folder], { env });
    said.push(stdout);
  }
  const lines = said[0]!.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    sites,
  );
  for (const line of lines) assert.match(line, /^\S+ sirna-\d+ [01]\.\d{3}$/);
  assert.ok(new Set(lines.map((line) => line.split(" ")[1])).size > 1, "sites differ");
  for (const other of said) assert.equal(other, said[0]);
});

test("subscribe prints every call once, through a connection that is lost, and ends with the run", async (t) => {
  for (const { name, command } of await languages(t)) {
    const store = await openFileEvents(join(await temporaryFolder(t), "events.jsonl"));
    t.after(() => store.close());
    const serve = (listen: string) =>
      serveResults({ listen, security: openToThisHost, store, onRefused: () => undefined });
    const node = openEventPublisher(store, "a", () => "HUVEC");
    await node.publishResult(resultOf("HUVEC-01", 3));
    const first = await serve("127.0.0.1:0");
    const { file, args, env } = command("subscribe");
    const child = spawn(file, [...args, first.address], { env });
    t.after(() => child.kill("SIGKILL"));
    const printed = linesOf(child);
    let complaints = "";
    child.stderr.on("data", (text) => {
      complaints += text;
    });
    while (printed.length < 6) await once(child.stdout, "data");
    await first.close(0);
    while (!complaints.includes("again after event 6")) await once(child.stderr, "data");
    const second = await serve(first.address);
    await node.publishResult(resultOf("HUVEC-02", 2));
    while (printed.length < 10) await once(child.stdout, "data");
    store.end();
    const ended = once(child, "close");
    await second.close(5_000);
    assert.deepEqual(await ended, [0, null], name);
    assert.deepEqual(
      printed.map((line) => line.split(" ").slice(0, 4).join(" ")),
      [
        ...[1, 2, 3].map((n) => `${n} HUVEC-01 1 B${n + 1}`),
        ...[1, 2, 3].map((n) => `${n + 3} HUVEC-01 2 B${n + 1}`),
        ...[1, 2].map((n) => `${n + 7} HUVEC-02 1 B${n + 1}`),
        ...[1, 2].map((n) => `${n + 9} HUVEC-02 2 B${n + 1}`),
      ],
      name,
    );
  }
});

test("subscribe ends, too, when the run has ended while the connection was lost", { timeout: 90_000 }, async (t) => {
  for (const { name, command } of await languages(t)) {
    const store = await openFileEvents(join(await temporaryFolder(t), "events.jsonl"));
    t.after(() => store.close());
    await openEventPublisher(store, "a", () => "HUVEC").publishResult(resultOf("HUVEC-01", 1));
    const server = await serveResults({
      listen: "127.0.0.1:0",
      security: openToThisHost,
      store,
      onRefused: () => undefined,
    });
    const { file, args, env } = command("subscribe");
    const child = spawn(file, [...args, server.address], { env: { ...env, PATIENCE_MS: "2000" } });
    t.after(() => child.kill("SIGKILL"));
    const printed = linesOf(child);
    let complaints = "";
    child.stderr.on("data", (text) => {
      complaints += text;
    });
    while (printed.length < 2) await once(child.stdout, "data");
    const ended = once(child, "close");
    await server.close(0);
    const [code] = await ended;
    assert.notEqual(code, 0, name);
    assert.match(complaints, /again after event 2[\s\S]*UNAVAILABLE/, name);
  }
});

const linesOf = (child: ChildProcess): string[] => {
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(line));
  return lines;
};

/** Images of the reference network as files. Returns the sites' names. */
const writePlate = async (folder: string, count: number): Promise<string[]> => {
  await mkdir(folder);
  const { channels, height, width } = tiny.architecture;
  const plane = height * width;
  const pixels = pixelsOf(tiny, 0, 32);
  const sites = Array.from({ length: count }, (_, n) => `B${String(2 + (n >> 1)).padStart(2, "0")}_s${1 + (n % 2)}`);
  for (const [n, site] of sites.entries()) {
    for (let c = 0; c < channels; c++) {
      const from = ((n % 32) * channels + c) * plane;
      const raw = { width, height, channels: 1 } as const;
      await sharp(pixels.slice(from, from + plane), { raw })
        .toColourspace("b-w")
        .png()
        .toFile(join(folder, `${site}_w${c + 1}.png`));
    }
  }
  return sites;
};
