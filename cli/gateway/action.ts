/** What `pipeline gateway` does. */
import { once } from "node:events";
import { PlatestreamError } from "../../common/errors.ts";
import type { ServerSecurityOptions } from "../../common/grpc/server-security.ts";
import { readServerSecurity } from "../../common/grpc/server-security.ts";
import type { NatsBusParts } from "../../pipeline/bus/nats/open.ts";
import { submitToNats } from "../../pipeline/bus/nats/submit.ts";
import { type Submit, serveSubmissions } from "../../pipeline/submissions/server.ts";
import { choose } from "../parts/choose-experiments.ts";
import { type DatasetOptions, openOptionsOf } from "../parts/dataset-options.ts";
import { openLogOn } from "../parts/observe-options.ts";
import type { BusOptions } from "../parts/with-bus.ts";
import { withBus } from "../parts/with-bus.ts";
import { type DatasetLists, openDatasetLists } from "./open-in-thread.ts";

export interface GatewayOptions extends BusOptions, ServerSecurityOptions, DatasetOptions {
  readonly listen: string;
  readonly dataRoot: string[];
  readonly json?: boolean;
}

/** How long calls that are under way may take at the end. */
const graceMs = 5_000;

/** Resolves when it was asked to end. */
export const runGateway = async (options: GatewayOptions): Promise<void> => {
  const log = openLogOn(process.stderr, {});
  const security = await readServerSecurity(options, (problem) => log.warn(problem.rawMessage));
  const lists = await openDatasetLists(options.dataRoot, openOptionsOf(options));
  await withBus(options, async (parts) => {
    const server = await serveSubmissions({
      listen: options.listen,
      security,
      async submit(request) {
        const response = await submit(parts, lists, request);
        log.info("submitted", { data: request.data, ...response });
        return response;
      },
      onRefused: (method, from, { code, rawMessage: reason }) =>
        log.warn("call refused", { method, from, code, reason }),
    });
    const { address } = server;
    process.stdout.write(options.json ? `${JSON.stringify({ type: "ready", address })}\n` : `ready on ${address}\n`);
    await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
    await server.close(graceMs);
    await lists.close();
  });
};

const submit = async (
  parts: NatsBusParts,
  lists: DatasetLists,
  { data, experiments: wanted }: Parameters<Submit>[0],
): ReturnType<Submit> => {
  const dataset = await lists.open(data);
  const experiments = choose(dataset, wanted).map(({ id, cellType }) => ({ id, cellType, data: dataset.root }));
  return submitToNats(parts, experiments, () => {
    throw new PlatestreamError("queue-full", "the queue is full; submit the same experiments again in a while");
  });
};
