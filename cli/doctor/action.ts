/** What `pipeline doctor` does. */
import { resolve } from "node:path";
import Table from "cli-table3";
import { packageFile } from "../../common/package-file.ts";
import { diagnoseProviders, type ProviderReport } from "../../gpu-worker/runtime/diagnose.ts";
import { type Check, checkMachine } from "./checks.ts";
import { measureSpeed, type Speed } from "./measure-speed.ts";

export interface DoctorOptions {
  readonly model?: string;
  readonly seconds: number;
  readonly json?: boolean;
}

/** Returns the exit code: 1 when something is missing without which nothing runs. */
export const examine = async ({ model, seconds, json = false }: DoctorOptions): Promise<number> => {
  const say = (what: string) => void (json || process.stderr.write(`${what}\n`));
  const checks = await checkMachine();
  const providers: ProviderReport[] = [];
  say("trying every runtime and provider on a small network");
  for await (const report of diagnoseProviders()) providers.push(report);
  const bundle = model === undefined ? packageFile("models/demo") : resolve(model);
  if (seconds > 0) say(`measuring images per second for ${seconds} s`);
  const speed = seconds > 0 ? await measureSpeed(bundle, seconds) : undefined;
  process.stdout.write(json ? `${JSON.stringify({ checks, providers, speed })}\n` : render(checks, providers, speed));
  const computes = providers.some(({ runs }) => runs);
  return computes && checks.every(({ state }) => state !== "missing") ? 0 : 1;
};

const render = (checks: readonly Check[], providers: readonly ProviderReport[], speed: Speed | undefined): string => {
  const machine = table(
    ["", "found", "what to do"],
    checks.map(({ name, state, found, advice }) => [
      mark(state === "ok", state === "missing"),
      name,
      found,
      advice ?? "",
    ]),
  );
  const computing = table(
    ["", "device", "what to do"],
    providers.map(({ runtime, provider, runs, device, reason, advice }) => [
      mark(runs, false),
      `${runtime} on ${provider}`,
      runs ? deviceText(device) : (reason ?? "").split("\n")[0]!,
      advice ?? "",
    ]),
  );
  return `${[machine, computing, ...(speed === undefined ? [] : [speedText(speed)])].join("\n")}\n`;
};

const mark = (good: boolean, missing: boolean): string => (good ? "ok" : missing ? "MISSING" : "-");

const table = ([first, second, third]: readonly [string, string, string], rows: readonly string[][]): string => {
  const widths = [9, 26, 42, 50];
  const drawn = new Table({
    head: ["", first, second, third],
    colWidths: widths,
    wordWrap: true,
    style: { head: [], border: [] },
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn.toString();
};

const deviceText = (device: ProviderReport["device"]): string =>
  device === undefined ? "runs" : `${device.name}, ${(device.memoryMiB / 1_024).toFixed(0)} GiB`;

const speedText = ({ model, imagesPerSecond, images, seconds, cores }: Speed): string =>
  `${model}: ${imagesPerSecond.toPrecision(3)} images/s on the CPU (${images} images in ${seconds.toFixed(1)} s, ${cores.toFixed(1)} cores busy)`;
