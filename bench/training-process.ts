/** `training-process.js PROVIDER`: one checked training step of the demo's kind of network, as one line of JSON. */
import { PlatestreamError } from "../common/errors.ts";
import { architectureSchema, variants } from "../gpu-worker/network/architecture.ts";
import { initialWeights } from "../gpu-worker/network/initialise.ts";
import { lossSchema } from "../training/gradients/losses.ts";
import { checkTraining } from "../training/learner/check-provider.ts";
import { flatten } from "../training/learner/flat.ts";
import { openTraining, type TrainingProvider } from "../training/learner/open-training.ts";

export type TrainingAnswer = { readonly right: true; readonly seconds: number } | { readonly reason: string };

const provider = process.argv[2] as TrainingProvider;
const sizes = { channels: 6, height: 64, width: 64, classes: 96, plates: 0 };
const architecture = architectureSchema.parse({ ...variants["densenet-small"], ...sizes });

const train = async (): Promise<TrainingAnswer> => {
  const started = performance.now();
  const options = { architecture, images: 2, precision: "float32", loss: lossSchema.parse({}), threads: 2 } as const;
  const runtime = await openTraining(provider, options.threads);
  await checkTraining(runtime, options, flatten(architecture, initialWeights(architecture, 1), "bench"));
  return { right: true, seconds: (performance.now() - started) / 1000 };
};

const answer = await train().catch((thrown): TrainingAnswer => ({ reason: PlatestreamError.from(thrown).rawMessage }));
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.kill(process.pid, "SIGKILL"));
