/**
 * `providers-process.js RUNTIME PROVIDER PRECISION`: computes the parity cases and prints, as one line of JSON, the worst
 * relative error against PyTorch's numbers in every mode. A process of its own, for a broken driver may end it.
 */

import { PlatestreamError } from "../common/errors.ts";
import type { Images } from "../common/inference.ts";
import { estimateStatistics, type PackedStatistics, packStatistics } from "../common/norm-statistics.ts";
import { normLayers } from "../gpu-worker/network/architecture.ts";
import type { NetworkInputs, NetworkMode, Precision } from "../gpu-worker/runtime/runtime.ts";
import { findRuntime } from "../gpu-worker/runtime/runtimes.ts";
import { relativeError } from "../gpu-worker/runtime/self-check.ts";
import { type ParityCase, parityCase } from "../test/gpu-worker/parity-case.ts";

export type ParityErrors = Readonly<Record<"running" | "batch" | "calibrated", number>>;
export type ParityAnswer = { readonly errors: ParityErrors } | { readonly reason: string };

const [name, provider, precision] = process.argv.slice(2) as [string, string, Precision];

const inputsOf = (of: ParityCase, from: number, to: number, statistics?: PackedStatistics): NetworkInputs => {
  const { pixels, scale, offset, plate } = of.inputs(from, to);
  return {
    pixels: pixels!.data as Images["pixels"],
    shape: pixels!.shape,
    scale: scale!.data as Float32Array,
    offset: offset!.data as Float32Array,
    ...(plate === undefined ? {} : { plate: plate.data as Float32Array }),
    ...(statistics === undefined ? {} : { statistics }),
  };
};

const errorsOf = async (of: ParityCase): Promise<ParityErrors> => {
  const { architecture, weights, expected } = of;
  const runtime = await (await findRuntime(name)).open(provider, { threads: 1, precision });
  const run = async (mode: NetworkMode, inputs: NetworkInputs) => {
    const opened = await runtime.open({ architecture, weights }, mode, "uint8");
    const outputs = await opened.run(inputs);
    await opened.close();
    return outputs;
  };
  const running = await run("fixed", inputsOf(of, 0, 8, packStatistics(normLayers(architecture), weights)));
  const batch = await run("batch", inputsOf(of, 0, 8));
  const estimate = estimateStatistics(normLayers(architecture));
  for (const from of [0, 8, 16]) {
    const { mean, variance } = await run("calibration", inputsOf(of, from, from + 8));
    estimate.add({ mean: mean!, variance: variance! }, 8);
  }
  const statistics = estimate.finish(weights, 0);
  const calibrated = await run("fixed", inputsOf(of, 24, 32, packStatistics(normLayers(architecture), statistics)));
  const layers = normLayers(architecture).flatMap(({ name: layer }) =>
    ["running_mean", "running_var"].map((what) => {
      const key = `${layer}.${what}`;
      return relativeError(statistics.get(key)!, expected(`calibrated.stats.${key}`));
    }),
  );
  return {
    running: relativeError(running.logits!, expected("running.logits")),
    batch: relativeError(batch.logits!, expected("batch8.logits")),
    calibrated: Math.max(relativeError(calibrated.logits!, expected("calibrated.logits")), ...layers),
  };
};

const answer = async (): Promise<ParityAnswer> => {
  try {
    const all = [await errorsOf(parityCase("tiny")), await errorsOf(parityCase("tiny-plates"))];
    const worst = (mode: keyof ParityErrors) => Math.max(...all.map((errors) => errors[mode]));
    return { errors: { running: worst("running"), batch: worst("batch"), calibrated: worst("calibrated") } };
  } catch (thrown) {
    return { reason: PlatestreamError.from(thrown).rawMessage };
  }
};

const line = `${JSON.stringify(await answer())}\n`;
process.stdout.write(line, () => process.kill(process.pid, "SIGKILL")); // devices would keep the process alive
