import assert from "node:assert/strict";
import { test } from "node:test";
import { renderOverview } from "../../cli/status/action.ts";
import type { Overview } from "../../pipeline/bus/nats/overview.ts";
import { entryOf } from "../workers/directory-suite.ts";

const empty: Overview = {
  server: "nats-server 2.9.10",
  counts: { queued: 0, running: 0, waiting: 0, done: 0, failed: 0 },
  experiments: [],
  running: [],
  nodes: [],
  workers: [],
  withoutNode: [],
  damage: [],
  replicas: 3,
};

test("status - a bus with nobody on it says so", () => {
  assert.deepEqual(renderOverview(empty).split("\n").slice(-2), ["no nodes", "no workers"]);
});

test("status - a worker's line has its address, networks, load and age", () => {
  const since = "2026-01-01T00:00:00.000Z";
  const models = ["HUVEC", "RPE"].map((cellType) => ({ name: "mine", cellType, version: "v1", trained: true }));
  const workers = [
    entryOf("gpu-1:7411", { models, since, load: 2 }),
    entryOf("127.0.0.1:9", { host: "gpu-2", since: "2026-01-01T03:30:00.000Z" }),
  ];
  const lines = renderOverview({ ...empty, workers }, Date.parse("2026-01-01T03:30:09.500Z")).split("\n");
  assert.deepEqual(lines.slice(-3), [
    "2 workers",
    "  gpu-1:7411 on gpu-1: mine for HUVEC, RPE; fake on cpu; 2 requests in hand; up 3 h; version 0.1.0",
    "  127.0.0.1:9 on gpu-2: fake for HUVEC; fake on cpu; idle; up 9 s; version 0.1.0",
  ]);
});
