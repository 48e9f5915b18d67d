/** `node wire-process.js`: a worker over gRPC whose network costs next to nothing; writes its address, ends with its stdin. */
import { startServer } from "../gpu-worker/services/server.ts";
import { freeModel } from "../testing/free-workers.ts";
import { delayedEngine } from "./delayed-engine.ts";

const server = await startServer(delayedEngine(freeModel("bench", 1232, 512), 0), { listen: "127.0.0.1:0" });
process.stdout.write(`${server.address}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
