/** The demo: two synthetic experiments that the shipped bundle has never seen. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { synthesise } from "../../datasets/synthetic/synthesise.ts";
import { PlatestreamError } from "../../proto/errors.ts";
import { packageFile } from "../../proto/package-file.ts";

/** Names that no recipe trains on; being functions of their names, they are fresh experiments. */
export const demoExperiments = ["HUVEC-21", "RPE-11"] as const;

/** Generates what is missing under `platestream-demo/` and returns the configuration of the run. */
export const prepareDemo = async (): Promise<{ data: string; model: string; out: string }> => {
  const model = packageFile("models/demo");
  if (!existsSync(model)) throw new PlatestreamError("invalid-model", `the demo's bundle is missing: ${model}`);
  const data = resolve("platestream-demo", "data");
  process.stderr.write(
    `demo: generating ${demoExperiments.join(" and ")}, two experiments never seen in training, in ${data}\n`,
  );
  await synthesise(
    data,
    { experiments: [...demoExperiments] },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
  return { data, model, out: resolve("platestream-demo", "run") };
};
