import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { threadCount } from "../../gpu-worker/runtime/threads.ts";
import { temporaryFolder } from "../kit/experiment.ts";

test("threads - one per physical core that the process may use, as far as the container's share of time goes", async (t) => {
  const most = availableParallelism();
  const root = `${await temporaryFolder(t)}/`;
  const put = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await put("proc/self/status", "Name:\tnode\nCpus_allowed_list:\t0-2,5\n");
  assert.equal(threadCount(0, root), Math.min(4, most));
  for (const cpu of [0, 1]) await put(`sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "0-1\n");
  for (const cpu of [2, 5]) await put(`sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "2,5\n");
  assert.equal(threadCount(0, root), Math.min(2, most));
  await put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  await put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  assert.equal(threadCount(0, root), Math.min(2, most));
  await put("sys/fs/cgroup/cpu.max", "150000 100000\n");
  assert.equal(threadCount(0, root), 1);
  await put("sys/fs/cgroup/cpu.max", "max 100000\n");
  assert.equal(threadCount(0, root), Math.min(2, most));
  assert.equal(threadCount(7, root), 7);
});
