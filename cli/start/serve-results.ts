/** The results service of a run or a node, where --results-listen asks for one. */
import { readServerSecurity, type ServerSecurityOptions } from "../../common/grpc/server-security.ts";
import type { EventStore } from "../../pipeline/events/store.ts";
import { serveResults } from "../../pipeline/events/subscription-server.ts";

export interface ResultsServiceOptions extends ServerSecurityOptions {
  /** `host:port` */
  readonly resultsListen?: string;
}

export interface ResultsService {
  /** Lets subscribers read the rest for so long. */
  close(graceMs: number): Promise<unknown>;
}

/** `log` gets what operators should know: the address, calls that were refused, a broken token file. */
export const openResultsService = async (
  options: ResultsServiceOptions,
  store: EventStore,
  log: (what: string) => void,
): Promise<ResultsService> => {
  if (options.resultsListen === undefined) return { close: async () => undefined };
  const server = await serveResults({
    listen: options.resultsListen,
    security: await readServerSecurity(options, (problem) => log(problem.rawMessage)),
    store,
    onRefused: (method, from, { rawMessage }) => log(`results: ${method} from ${from} was refused: ${rawMessage}`),
  });
  log(`results are served on ${server.address}`);
  return server;
};
