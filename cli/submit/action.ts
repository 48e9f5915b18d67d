/** What `pipeline submit` does. */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatestreamError } from "../../common/errors.ts";
import type { ClientSecurityOptions } from "../../common/grpc/client-security.ts";
import { readClientSecurity } from "../../common/grpc/client-security.ts";
import type { BusSecurityOptions } from "../../pipeline/bus/nats/security.ts";
import { submitToNats } from "../../pipeline/bus/nats/submit.ts";
import { submitThrough } from "../../pipeline/submissions/client.ts";
import { choose } from "../parts/choose-experiments.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { openForCommand } from "../parts/open-dataset.ts";
import { withBus } from "../parts/with-bus.ts";

export interface SubmitOptions extends BusSecurityOptions, ClientSecurityOptions, DatasetOptions {
  /** One of the two is given. */
  readonly bus?: string;
  readonly gateway?: string;
  readonly data: string;
  readonly json?: boolean;
}

export const submitExperiments = async (wanted: readonly string[], options: SubmitOptions) => {
  const { bus, gateway, json } = options;
  if ((bus === undefined) === (gateway === undefined)) {
    throw new PlatestreamError(
      "invalid-config",
      "experiments are submitted to a bus (--bus nats://HOST) or to its gateway (--gateway HOST:PORT): give one of the two",
    );
  }
  let noted = false;
  const onFull = () => {
    if (!noted) process.stderr.write("the queue is full: waiting for nodes to settle experiments\n");
    noted = true;
  };
  const { queued, known } =
    bus === undefined
      ? await toGateway(gateway!, wanted, options, onFull)
      : await toBus({ ...options, bus }, wanted, onFull);
  const text = `${queued} queued${known === 0 ? "" : `, ${known} queued, running or done already`}\n`;
  process.stdout.write(json ? `${JSON.stringify({ queued, known })}\n` : text);
};

const toBus = async (
  options: SubmitOptions & { readonly bus: string },
  wanted: readonly string[],
  onFull: () => void,
) => {
  const dataset = await openForCommand(options.data, options);
  const experiments = choose(dataset, wanted).map(({ id, cellType }) => ({ id, cellType, data: dataset.root }));
  return withBus(options, (parts) => submitToNats(parts, experiments, onFull));
};

const fullMs = 5_000;

const toGateway = async (address: string, wanted: readonly string[], options: SubmitOptions, onFull: () => void) => {
  const security = await readClientSecurity(options);
  for (;;) {
    try {
      return await submitThrough(address, security, { data: resolve(options.data), experiments: [...wanted] });
    } catch (error) {
      if (PlatestreamError.from(error).code !== "queue-full") throw error;
      onFull();
      await sleep(fullMs);
    }
  }
};
