import { after, before } from "node:test";
import { openNats } from "../../pipeline/bus/nats/open.ts";
import { openNatsBus } from "../../pipeline/bus/nats/queue.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";
import { testBus } from "./suite.ts";

let server: NatsServer;
before(async () => {
  server = await startNatsServer();
});
after(() => server.close());

testBus("NATS", async (t) => {
  const url = server.namespace();
  const open = async (node: string) => {
    const parts = await openNats({ url, name: node, onConnection: () => undefined, limits: { ackWaitMs: 1_000 } });
    t.after(() => parts.nc.close());
    const bus = await openNatsBus(parts, {
      node,
      cellTypes: () => ["HUVEC"],
      untilEmpty: true,
      onFull: () => undefined,
      onMended: () => undefined,
    });
    return { parts, bus };
  };
  const { bus, parts } = await open("node-1");
  return {
    bus,
    async crash() {
      await parts.nc.close();
      return (await open("node-2")).bus;
    },
  };
});
