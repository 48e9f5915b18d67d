import { after, before } from "node:test";
import { connectNats, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { namesIn } from "../../pipeline/bus/nats/names.ts";
import { openWorkerDirectory } from "../../pipeline/bus/nats/workers.ts";
import { testDirectory } from "../workers/directory-suite.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

testDirectory("NATS", async (t) => {
  const address = parseBusUrl(server.namespace());
  const { nc } = await connectNats(address, "test", () => undefined);
  t.after(() => nc.close());
  return { directory: await openWorkerDirectory(nc, namesIn(address.namespace), 1_000), forgetMs: 1_000 };
});
