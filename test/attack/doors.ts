/** All doors; a new one is a file and a line here. */
import type { Door } from "./attack.ts";
import { framing } from "./doors/framing.ts";
import { probes } from "./doors/probes.ts";
import { requests } from "./doors/requests.ts";
import { statistics } from "./doors/statistics.ts";

export const doors: readonly Door[] = [probes, framing, requests, statistics];
