/** How many threads compute: runtimes that count cores themselves see one of several on some virtual machines. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** Where the system says what this process may use; another place in tests. */
const system = "/";

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
};

/** `0-3,8` -> 0, 1, 2, 3, 8 */
const listed = (list: string): number[] =>
  list.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });

/** Processors that the scheduler lets this process run on. */
const allowed = (root: string): number[] => {
  const line = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read(`${root}proc/self/status`) ?? "")?.[1];
  return line === undefined ? [...cpus().keys()] : listed(line);
};

/** Processors that share a core count once: a second thread on a core adds little to arithmetic. */
const physicalCores = (root: string): number => {
  const siblings = (cpu: number) =>
    read(`${root}sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`) ?? String(cpu);
  return new Set(allowed(root).map(siblings)).size;
};

/** Processors' worth of time that the container may use, version 2 or 1 of control groups. */
const quota = (root: string): number => {
  const [limit, period] = (read(`${root}sys/fs/cgroup/cpu.max`) ?? "").split(" ");
  const [share, every] =
    limit === "" || limit === undefined
      ? [read(`${root}sys/fs/cgroup/cpu/cpu.cfs_quota_us`), read(`${root}sys/fs/cgroup/cpu/cpu.cfs_period_us`)]
      : [limit, period];
  const cores = Number(share) / Number(every);
  return cores > 0 ? Math.max(Math.floor(cores), 1) : Infinity;
};

/** `asked`, or where it is 0 one per physical core that this process may use. */
export const threadCount = (asked: number, root = system): number =>
  asked > 0 ? asked : Math.max(Math.min(physicalCores(root), quota(root), Math.max(availableParallelism(), 1)), 1);
