/** A client that opens all streams that it may have and says so: to be stopped then. */
import { setTimeout as sleep } from "node:timers/promises";
import { attackClient } from "./client.ts";

const address = process.argv[2]!;
for (let connection = 0; connection < 2; connection++) attackClient(address).openStreams(32);
await sleep(2_000);
process.stdout.write("open\n");
await sleep(600_000);
