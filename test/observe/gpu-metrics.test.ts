/** The numbers of GPUs, from programs that answer as NVIDIA's nvidia-smi does. */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openMetrics } from "../../common/observe/metrics.ts";
import { watchGpus } from "../../gpu-worker/services/gpu-metrics.ts";
import { temporaryFolder } from "../kit/experiment.ts";

/** A program that prints what it is asked for in the real one's order, and fails as `fails` says. */
const program = async (t: TestContext, script: string): Promise<string> => {
  const file = join(await temporaryFolder(t), "nvidia-smi");
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
};

const lines = async (metrics: ReturnType<typeof openMetrics>) =>
  (await metrics.text()).split("\n").filter((line) => line.startsWith("nv_gpu_"));

test("load, power and memory of every GPU, in the units of Triton's metrics", async (t) => {
  const metrics = openMetrics();
  const asked = "--query-gpu=uuid,utilization.gpu,power.draw,memory.used,memory.total --format=csv,noheader,nounits";
  const smi = await program(
    t,
    `[ "$*" = "${asked}" ] || exit 9
     printf 'GPU-1, 37, 71.25, 1024, 81559\\nGPU-2, [N/A], [Not Supported], 0, 40960\\n'`,
  );
  assert.equal(await watchGpus(metrics, smi), undefined);
  assert.deepEqual(await lines(metrics), [
    'nv_gpu_utilization{gpu_uuid="GPU-1"} 0.37',
    'nv_gpu_power_usage{gpu_uuid="GPU-1"} 71.25',
    `nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} ${1024 * 2 ** 20}`,
    'nv_gpu_memory_used_bytes{gpu_uuid="GPU-2"} 0',
    `nv_gpu_memory_total_bytes{gpu_uuid="GPU-1"} ${81559 * 2 ** 20}`,
    `nv_gpu_memory_total_bytes{gpu_uuid="GPU-2"} ${40960 * 2 ** 20}`,
  ]);
});

test("without a GPU there are no such numbers, and the reason is told", async (t) => {
  const metrics = openMetrics();
  assert.equal(await watchGpus(metrics, "/nowhere/nvidia-smi"), "there is no /nowhere/nvidia-smi on this machine");
  const broken = await program(t, "echo 'NVIDIA-SMI has failed: no driver' >&2; exit 9");
  assert.match((await watchGpus(metrics, broken))!, /NVIDIA-SMI has failed: no driver/);
  const none = await program(t, "echo 'No devices were found'");
  assert.match((await watchGpus(metrics, none))!, /names no GPU/);
  assert.deepEqual(await lines(metrics), []);
});
