/**
 * `probe-process.js RUNTIME PROVIDER PRECISION`: computes a small network in every mode, checked against the reference,
 * and prints one line of JSON. A process of its own, for a driver that is broken may end it or hang.
 */
import { PlatestreamError } from "../../common/errors.ts";
import { architectureSchema, variants } from "../network/architecture.ts";
import { initialWeights } from "../network/initialise.ts";
import type { Precision } from "./runtime.ts";
import { openRuntime } from "./runtimes.ts";
import { threadCount } from "./threads.ts";

export type ProbeAnswer = { readonly runs: true } | { readonly runs: false; readonly reason: string };

const [runtime, provider, precision] = process.argv.slice(2) as [string, string, Precision];
const sizes = { channels: 6, height: 32, width: 32, classes: 8, plates: 0 };
const architecture = architectureSchema.parse({ ...variants["densenet-small"], ...sizes });
const network = { architecture, weights: initialWeights(architecture, 1) };

const probe = async (): Promise<ProbeAnswer> => {
  try {
    const opened = await openRuntime(runtime, provider, { threads: threadCount(0), precision });
    for (const mode of ["fixed", "batch", "calibration"] as const) await opened.open(network, mode, "uint8");
    return { runs: true };
  } catch (thrown) {
    return { runs: false, reason: PlatestreamError.from(thrown).rawMessage };
  }
};

const answer = `${JSON.stringify(await probe())}\n`;
// Devices and threads of the libraries would keep the process alive, and some crash when it ends in an orderly way.
process.stdout.write(answer, () => process.kill(process.pid, "SIGKILL"));
