import { join } from "node:path";
import { openEmbeddedBus } from "../../pipeline/bus/embedded.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { testBus } from "./suite.ts";

testBus("embedded", async (t) => {
  const journal = join(await temporaryFolder(t), "bus.json");
  const bus = await openEmbeddedBus(journal);
  t.after(() => bus.close());
  return {
    bus,
    async crash() {
      await bus.close();
      return openEmbeddedBus(journal);
    },
  };
});
