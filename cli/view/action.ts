/** What `pipeline view` does. */
import { once } from "node:events";
import { PlatestreamError } from "../../common/errors.ts";
import { type ClientSecurityOptions, readClientSecurity } from "../../common/grpc/client-security.ts";
import type { ServerSecurityOptions } from "../../common/grpc/server-security.ts";
import type { BusSecurityOptions } from "../../pipeline/bus/nats/security.ts";
import { openBusSource } from "../../web/server/sources/bus.ts";
import { openRunFolderSource, originOfRun } from "../../web/server/sources/run-folder.ts";
import { openServiceSource } from "../../web/server/sources/service.ts";
import type { ScreenFiles, ViewSource } from "../../web/server/view-source.ts";
import type { DatasetOptions } from "../parts/dataset-options.ts";
import { openForCommand } from "../parts/open-dataset.ts";
import { servePlateMap } from "../parts/serve-plate-map.ts";
import { withBus } from "../parts/with-bus.ts";

export interface ViewFlags extends BusSecurityOptions, ClientSecurityOptions, ServerSecurityOptions, DatasetOptions {
  readonly bus?: string;
  readonly server?: string;
  readonly listen: string;
  readonly data?: string;
  readonly beside?: string;
  readonly json?: boolean;
}

/** Serves until it is asked to end. */
export const runView = async (run: string | undefined, flags: ViewFlags): Promise<void> => {
  const { bus, server } = flags;
  if ([run, bus, server].filter((each) => each !== undefined).length !== 1) {
    throw new PlatestreamError(
      "invalid-config",
      "`pipeline view` takes the folder of a run, or --bus URL, or --server HOST:PORT, and one of them",
    );
  }
  if (bus !== undefined) {
    const files = await openFiles(flags);
    return withBus({ ...flags, bus }, (parts) => serve(openBusSource(parts, files), undefined, flags));
  }
  if (server !== undefined) {
    const security = await readClientSecurity(flags);
    const onLost = (why: string) => say(`${why}; trying again`);
    return serve(openServiceSource(server, security, await openFiles(flags), onLost), undefined, flags);
  }
  const origin = await originOfRun(run!);
  const source = await openRunFolderSource(run!, await openFiles(flags, origin));
  const beside = flags.beside === undefined ? undefined : await openRunFolderSource(flags.beside, undefined);
  await serve(source, beside, flags);
};

/** The dataset that is named, or the run's own; one that is not there any more only costs the pictures. */
const openFiles = async (
  flags: ViewFlags,
  origin?: { readonly data: string; readonly layout: string },
): Promise<ScreenFiles | undefined> => {
  if (flags.data !== undefined) return openForCommand(flags.data, flags);
  if (origin === undefined) return undefined;
  return openForCommand(origin.data, { layout: origin.layout, ...flags }).catch((error: Error) => {
    say(`no pictures: the run's dataset cannot be opened (${error.message}); name it with --data`);
    return undefined;
  });
};

const serve = async (source: ViewSource, beside: ViewSource | undefined, flags: ViewFlags): Promise<void> => {
  const view = await servePlateMap(source, beside, { ...flags, viewListen: flags.listen }, say);
  process.stdout.write(
    flags.json ? `${JSON.stringify({ type: "ready", url: view.url })}\n` : `the plate map is at ${view.url}\n`,
  );
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  await view.close();
};

const say = (what: string): void => void process.stderr.write(`${what}\n`);
