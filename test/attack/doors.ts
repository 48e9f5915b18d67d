/** All doors; a new one is a file and a line here. */
import type { Door } from "./attack.ts";
import { bundles } from "./doors/bundles.ts";
import { bus } from "./doors/bus.ts";
import { clock } from "./doors/clock.ts";
import { files } from "./doors/files.ts";
import { framing } from "./doors/framing.ts";
import { gateway } from "./doors/gateway.ts";
import { locks } from "./doors/locks.ts";
import { plugins } from "./doors/plugins.ts";
import { probes } from "./doors/probes.ts";
import { requests } from "./doors/requests.ts";
import { resultsFolder } from "./doors/results-folder.ts";
import { secrets } from "./doors/secrets.ts";
import { statistics } from "./doors/statistics.ts";
import { subscriptions } from "./doors/subscriptions.ts";
import { tables } from "./doors/tables.ts";
import { telemetry } from "./doors/telemetry.ts";
import { tokens } from "./doors/tokens.ts";

export const doors: readonly Door[] = [
  probes,
  framing,
  requests,
  statistics,
  bundles,
  tables,
  files,
  resultsFolder,
  plugins,
  locks,
  secrets,
  telemetry,
  gateway,
  subscriptions,
  tokens,
  clock,
  bus,
];
