/** The kinds of workers that a run can call, by how their addresses begin. */
import { PlatestreamError } from "../../common/errors.ts";
import { openInferenceWorker } from "./open-inference-worker.ts";
import { type PlatestreamWorkerOptions, platestreamWorker } from "./platestream-worker.ts";
import type { RemoteWorker } from "./remote-worker.ts";

/** Shared memory is for workers of this project only. */
export type WorkerOptions = Partial<PlatestreamWorkerOptions>;

type OpenWorker = (address: string, options?: WorkerOptions) => RemoteWorker;

/** To add a kind, add a file and a line. Addresses without a scheme are workers of this project. */
const protocols: Readonly<Record<string, OpenWorker>> = {
  "": platestreamWorker,
  triton: openInferenceWorker,
};

/** The worker at `HOST:PORT` or `SCHEME://…`. Throws "invalid-config" where there is no such kind. */
export const openWorker: OpenWorker = (address, options) => {
  const [, scheme = ""] = /^([^:/]*):\/\//.exec(address) ?? [];
  const open = Object.hasOwn(protocols, scheme) ? protocols[scheme] : undefined;
  if (open !== undefined) return open(address, options);
  const known = Object.keys(protocols).map((each) => (each === "" ? "HOST:PORT" : `${each}://…`));
  throw new PlatestreamError("invalid-config", `workers are ${known.join(" or ")}, not "${address}"`);
};
