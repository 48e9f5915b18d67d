/** The results service of a run or a node. */
import type { ClientSecurity } from "../../../common/grpc/client-security.ts";
import { subscribe } from "../../../pipeline/events/subscription-client.ts";
import type { ScreenFiles, ViewSource } from "../view-source.ts";
import { openStoreSource } from "./store.ts";

/** A map that is shown stays, whoever comes and goes. */
const giveUpMs = Number.POSITIVE_INFINITY;

export const openServiceSource = (
  address: string,
  security: ClientSecurity,
  files: ScreenFiles | undefined,
  onLost: (why: string) => void,
): ViewSource =>
  openStoreSource({
    name: address,
    files,
    events: {
      follow: (filter, { signal }) =>
        subscribe(address, security, filter, { from: "start", storedOnly: false, giveUpMs, signal, onLost }),
    },
  });
