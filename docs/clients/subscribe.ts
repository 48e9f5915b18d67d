// Prints every call of a run or a bus, from the first one on and through lost connections.
//
//   npx jiti subscribe.ts 127.0.0.1:7413
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [address] = process.argv.slice(2) as [string];
const proto = fileURLToPath(import.meta.resolve("platestream/proto/results.proto"));
const loaded = loadPackageDefinition(loadSync(proto, { keepCase: true, longs: Number, defaults: true }));
const { Results } = (loaded as unknown as { platestream: { v1: { Results: ServiceClientConstructor } } }).platestream
  .v1;
const results = new Results(address, credentials.createInsecure(), {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.max_reconnect_backoff_ms": 2_000,
});

interface CallEvent {
  seq: number;
  experiment: string;
  call: { plate: string; well: string; treatment: string; probability: number };
}

// Keep it where your program keeps what it has made of the events, and nothing is missed or seen twice.
let lastSeen = 0;
// A run that ends while the connection is lost cannot say so: its server is gone, and does not come back.
const patienceMs = Number(process.env.PATIENCE_MS ?? 60_000);
let lostSince: number | undefined;
for (;;) {
  try {
    const events = results.Subscribe!({ kinds: ["call"], after: lastSeen });
    events.once("metadata", () => {
      lostSince = undefined;
    });
    for await (const event of events) {
      const { seq, experiment, call } = event as CallEvent;
      console.log(seq, experiment, call.plate, call.well, call.treatment, call.probability.toFixed(3));
      lastSeen = seq;
    }
    break; // the run is over
  } catch (error) {
    const { code, details } = error as ServiceError;
    lostSince ??= Date.now();
    if (code !== status.UNAVAILABLE || Date.now() - lostSince > patienceMs) throw error;
    console.error(`${details}; again after event ${lastSeen}`);
    await sleep(1_000);
  }
}
results.close();
