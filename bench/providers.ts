import { runtimes } from "../gpu-worker/runtime/runtimes.ts";
import type { Bench } from "./figure.ts";
import { jsonProcess } from "./json-process.ts";
import type { ParityAnswer } from "./providers-process.ts";

/** Largest relative error that is aimed at. */
const limits = { float32: 1e-4, float16: 5e-3 } as const;
const timeoutMs = 600_000;

export const providers: Bench = {
  name: "providers",
  description:
    "relative error of every runtime and provider that runs here against PyTorch's numbers for the parity cases, per mode " +
    "(at most 1e-4; float16 5e-3)",
  async run(report, log) {
    for (const { name, providers } of runtimes) {
      for (const provider of providers) {
        for (const precision of ["float32", "float16"] as const) {
          const says = `${name}-${provider}${precision === "float32" ? "" : "-float16"}`;
          const answer = await jsonProcess<ParityAnswer>(
            "./providers-process.js",
            [name, provider, precision],
            timeoutMs,
          );
          if (answer === undefined || "reason" in answer) {
            log(`${says} does not run: ${answer?.reason ?? "its process ended or hung without an answer"}`);
            continue;
          }
          const reference = limits[precision];
          for (const [mode, value] of Object.entries(answer.errors)) {
            report({
              figure: `providers.${says}.${mode}`,
              value,
              unit: "relative",
              reference,
              ratio: value / reference,
            });
          }
        }
      }
    }
  },
};
