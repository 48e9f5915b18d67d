/**
 * NVIDIA Triton, as it is: the server program out of the package nvidia-pytriton, with the repository that
 * `pipeline model export` writes. That package has no ONNX backend, so a model of its Python backend runs the graphs.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { packageFile } from "../../common/package-file.ts";
import { freePort } from "../bus/nats-server.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { findPython } from "../kit/python-environment.ts";

export interface TritonServer {
  /** HOST:PORT of its gRPC. */
  readonly address: string;
  /** Ends it at once, as a machine that goes away. */
  kill(): Promise<void>;
}

const startMs = 120_000;

/** Where the packages and the interpreter's library are, and its version, for instance 3.11. */
const layoutOf = (python: string): { packages: string; libraries: string; version: string } => {
  const program =
    "import json,sysconfig as s; print(json.dumps(dict(packages=s.get_path('purelib'), libraries=s.get_config_var('LIBDIR'), version=s.get_python_version())))";
  return JSON.parse(execFileSync(python, ["-c", program], { encoding: "utf8" }));
};

const findServer = () => layoutOf(findPython("tritonserver"));

/** The exported models, run by the Python backend: only the name of the backend is another. */
const servable = async (t: TestContext, repository: string): Promise<string> => {
  const folder = join(await temporaryFolder(t), "models");
  await cp(repository, folder, { recursive: true });
  for (const model of await readdir(folder)) {
    const config = join(folder, model, "config.pbtxt");
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace('backend: "onnxruntime"', 'backend: "python"'));
    await copyFile(packageFile("test/clients/triton_model.py"), join(folder, model, "1/model.py"));
  }
  return folder;
};

export interface TritonOptions {
  readonly port?: number;
  /** Further arguments of the program. */
  readonly args?: readonly string[];
}

/** Serves `repository` until the test ends. Resolves when all of its models are ready. */
export const startTriton = async (
  t: TestContext,
  repository: string,
  { port, args = [] }: TritonOptions = {},
): Promise<TritonServer> => {
  const { packages, libraries, version } = findServer();
  const program = join(packages, "pytriton/tritonserver");
  const backends = await temporaryFolder(t);
  await mkdir(join(backends, "python"));
  for (const part of ["backends/python", `python_backend_stubs/${version}`]) {
    await cp(join(program, part), join(backends, "python"), { recursive: true });
  }
  const grpc = port ?? (await freePort());
  const models = await servable(t, repository);
  const child = spawn(
    join(program, "bin/tritonserver"),
    [
      ...[`--model-repository=${models}`, `--backend-directory=${backends}`],
      ...["--grpc-address=127.0.0.1", `--grpc-port=${grpc}`, "--allow-http=false", "--allow-metrics=false", ...args],
    ],
    {
      env: {
        ...process.env,
        LD_LIBRARY_PATH: [join(packages, "nvidia_pytriton.libs"), libraries].join(":"),
        PLATESTREAM_TEST_PACKAGES: packages,
        OMP_NUM_THREADS: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  t.after(kill);
  await ready(child);
  return { address: `127.0.0.1:${grpc}`, kill };
};

const ready = async (child: ChildProcess): Promise<void> => {
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  for (const until = Date.now() + startMs; Date.now() < until; await sleep(100)) {
    if (said.includes("Started GRPCInferenceService")) return;
    if (child.exitCode !== null) break;
  }
  throw new Error(`tritonserver is not ready; it said last:\n${said.slice(-3000)}`);
};
