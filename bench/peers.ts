/** What users would compute with in Python today, on the same work in the same run: PyTorch 2, OpenVINO, ONNX Runtime. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Images } from "../common/inference.ts";
import { packageFile } from "../common/package-file.ts";
import type { Bench, Figure } from "./figure.ts";
import { fullSize } from "./full-size.ts";
import {
  batch,
  batchesPerTurn,
  images,
  model,
  options,
  portableNetwork,
  predict,
  type Turn,
  threads,
  timed,
  turnOf,
} from "./inference-turn.ts";
import { median } from "./run-chain.ts";
import { densenet121, ownSteps } from "./train.ts";
import type { StepTimes } from "./train-step.ts";
import { withWorker } from "./untrained-worker.ts";

/** Has torch, openvino and onnxruntime, or some of them. */
const python = process.env.PLATESTREAM_PEERS_PYTHON ?? "/usr/bin/python3";
const turns = 5;
const execute = promisify(execFile);

interface Peers {
  /** Name and version. */
  readonly versions: Readonly<Record<string, string>>;
  turn(peer: string): Promise<Turn>;
  close(): Promise<void>;
}

const openPeers = async (folder: string): Promise<Peers> => {
  const onnx = join(folder, "network.onnx");
  await writeFile(onnx, portableNetwork());
  const work = JSON.stringify({ architecture: fullSize, images, threads, onnx });
  const child = spawn(python, [packageFile("bench/peers_infer.py"), work], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${python} ended without an answer`);
    return JSON.parse(value);
  };
  return {
    versions: await answer(),
    async turn(peer) {
      child.stdin.write(`${peer} ${batchesPerTurn}\n`);
      const { seconds, cpu } = (await answer()) as { seconds: number; cpu: number };
      return turnOf(seconds, cpu);
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
};

type Report = (figure: Figure) => void;
type Log = (line: string) => void;

const inference = async (folder: string, report: Report, log: Log): Promise<void> => {
  const peers = await openPeers(folder);
  const names = Object.keys(peers.versions);
  log(
    `peers: ${
      Object.entries(peers.versions)
        .map((each) => each.join(" "))
        .join(", ") || `none in ${python}`
    }`,
  );
  const own: Turn[] = [];
  const theirs = new Map<string, Turn[]>(names.map((name) => [name, []]));
  await withWorker(folder, model.cellType, async (workers) => {
    const sample: readonly Images[] = new Array(batchesPerTurn).fill(batch);
    const calibrated = await workers.calibrate(model, sample, 0, options);
    await predict(workers, calibrated);
    for (let turn = 1; turn <= turns; turn++) {
      own.push(await timed(() => predict(workers, calibrated)));
      for (const name of names) theirs.get(name)!.push(await peers.turn(name));
      const last = [["ours", own.at(-1)!] as const, ...names.map((name) => [name, theirs.get(name)!.at(-1)!] as const)];
      log(
        `turn ${turn} of ${turns}: ${last.map(([name, { imagesPerSecond, cpuPerImage }]) => `${name} ${imagesPerSecond.toFixed(2)} images/s at ${cpuPerImage.toFixed(3)} CPU s`).join(", ")}`,
      );
    }
  });
  await peers.close();
  for (const [name, all] of theirs) {
    // The median of the turns' ratios: what else the machine did weighs on both sides of each.
    const figure = (what: string, of: keyof Turn, unit: string) => {
      const ratio = median(own.map((turn, index) => turn[of] / all[index]![of]));
      const [value, reference] = [own, all].map((each) => median(each.map((turn) => turn[of]))) as [number, number];
      report({ figure: `peers.${what}-vs-${name}`, value, unit, reference, ratio });
    };
    figure("infer", "imagesPerSecond", "images/s");
    figure("infer-cpu", "cpuPerImage", "CPU s/image");
  }
};

/** PyTorch 2 compiled, in the memory layout that suits it. */
const training = async (report: Report, log: Log): Promise<void> => {
  const work = { ...densenet121, steps: 6 };
  const script = packageFile("bench/pytorch_train.py");
  const typical = ({ seconds }: StepTimes) => median(seconds.slice(2));
  const compiled = JSON.stringify({ ...work, compiled: true });
  const { stdout } = await execute(python, [script, compiled], { maxBuffer: 2 ** 26 }).catch((failure: Error) => {
    log(`PyTorch 2 did not train: ${failure.message.split("\n").at(-2) ?? failure.message}`);
    return { stdout: "" };
  });
  if (stdout === "") return;
  const [value, reference] = [typical(await ownSteps(work)), typical(JSON.parse(stdout) as StepTimes)];
  report({ figure: "peers.train-vs-pytorch-compiled", value, unit: "s/step", reference, ratio: reference / value });
};

export const peers: Bench = {
  name: "peers",
  description:
    "DenseNet-121 on 6x512x512 in fp32: images/s of a worker over gRPC against PyTorch 2 (channels_last, also compiled), OpenVINO and " +
    "ONNX Runtime in Python (aim 1.0 of the best), a training step against PyTorch 2 compiled (aim 1.5); " +
    "PLATESTREAM_PEERS_PYTHON names a Python that has torch, openvino and onnxruntime",
  async run(report, log) {
    const folder = await mkdtemp(join(tmpdir(), "platestream-peers-"));
    try {
      await inference(folder, report, log);
      await training(report, log);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
