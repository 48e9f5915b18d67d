/** What a run needs of the machine beside something that computes. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { promisify } from "node:util";
import { packageFile } from "../../common/package-file.ts";
import { encodeGreyPng } from "../../screen/images.ts";

export interface Check {
  readonly name: string;
  /** `missing`: no run without it. `advice`: some uses need it, or more of it. */
  readonly state: "ok" | "advice" | "missing";
  readonly found: string;
  /** What to do, where the state is not `ok`. */
  readonly advice?: string;
}

const check = (name: string, found: string, good: boolean, advice: string, needed = false): Check =>
  good ? { name, state: "ok", found } : { name, state: needed ? "missing" : "advice", found, advice };

/** `^20.20.2 || >=25.8.2`: whether a version is in one of the ranges. */
export const inRange = (version: string, ranges: string): boolean => {
  const numbers = (text: string) => text.split(".").map(Number) as [number, number, number];
  const [major, minor, patch] = numbers(version);
  return ranges.split("||").some((range) => {
    const [, sign, from] = /^(\^|>=)([\d.]+)$/.exec(range.trim()) ?? [];
    if (from === undefined) return false;
    const [least, leastMinor, leastPatch] = numbers(from);
    if (major !== least) return sign === ">=" && major > least;
    return minor !== leastMinor ? minor > leastMinor : patch >= leastPatch;
  });
};

const nodeVersion = (): Check => {
  const { engines } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { engines: { node: string } };
  const good = inRange(process.versions.node, engines.node);
  return check("Node", process.versions.node, good, `install one of ${engines.node}: others have known faults`, true);
};

const pictures = async (): Promise<Check> => {
  const name = "image library";
  try {
    await encodeGreyPng(new Uint8Array(4), 2, 2);
    return check(name, "PNG and TIFF, 8 and 16 bit", true, "");
  } catch (error) {
    const found = (error as Error).message.split("\n")[0]!;
    return check(name, found, false, "npm install sharp, on this machine and for its processor", true);
  }
};

const run = (file: string, ...args: string[]): Promise<string | undefined> =>
  promisify(execFile)(file, args, { timeout: 5_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );

const natsServer = async (): Promise<Check> => {
  const version = await run("nats-server", "--version");
  const advice = "needed for many machines only: apt-get install nats-server, or https://nats.io/download";
  return check("nats-server", version ?? "not found", version !== undefined, advice);
};

const enoughFiles = 1_024;

const openFiles = async (): Promise<Check> => {
  const text = await run("sh", "-c", "ulimit -n");
  const limit = text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  const advice = `ulimit -n ${enoughFiles}, or more, before the command: every image and connection takes one`;
  return check("open files", text ?? "unknown", text === undefined || limit >= enoughFiles, advice);
};

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

const memory = (): Check => {
  const all = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const free = Math.min(all, process.availableMemory());
  const found = `${gibibytes(free)} free of ${gibibytes(all)}`;
  return check("memory", found, free >= 3 * 2 ** 30, "a run takes about 3 GiB: lower memoryMiB, or end other programs");
};

const disk = async (): Promise<Check> => {
  const { bavail, bsize } = await statfs(process.cwd());
  const free = bavail * bsize;
  return check("disk", `${gibibytes(free)} free here`, free >= 2 ** 30, "results of a large run take about 1 GiB");
};

export const checkMachine = async (): Promise<Check[]> => [
  nodeVersion(),
  await pictures(),
  await openFiles(),
  memory(),
  await disk(),
  await natsServer(),
];
