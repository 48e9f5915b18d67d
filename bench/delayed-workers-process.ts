/** `node delayed-workers-process.js COUNT DELAY_MS CLASSES`: so many gRPC workers with delayed engines; writes their addresses as JSON, ends with its stdin. */
import { startServer } from "../gpu-worker/services/server.ts";
import { freeModel } from "../testing/free-workers.ts";
import { delayedEngine } from "./delayed-engine.ts";

const [count, delayMs, classes] = process.argv.slice(2).map(Number) as [number, number, number];
const model = freeModel("HUVEC", classes, 8, 1);
const servers = await Promise.all(
  Array.from({ length: count }, () => startServer(delayedEngine(model, delayMs), { listen: "127.0.0.1:0" })),
);
process.stdout.write(`${JSON.stringify(servers.map(({ address }) => address))}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
