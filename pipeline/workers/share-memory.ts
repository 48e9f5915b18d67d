/** Finds out whether a worker shares memory with this process, and keeps its call open for as long as it does. */
import type { ClientReadableStream } from "@grpc/grpc-js";
import type { ShareMemoryResponse__Output } from "../../proto/types/platestream/v1/ShareMemoryResponse.ts";
import type { WorkerClient } from "../../proto/types/platestream/v1/Worker.ts";
import type { RequestOptions } from "./remote-worker.ts";
import { openSharedPixels, type PlacedPixels, type SharedPixels } from "./shared-pixels.ts";

export interface Sharing {
  /** Whether pixels can be left in shared memory. */
  readonly open: boolean;
  /** Asks the worker, unless it has said yes before. Never throws: where it does not work, pixels are sent. */
  ask(client: WorkerClient, options: RequestOptions): Promise<void>;
  /** Undefined where they must be sent. */
  put(pixels: Uint8Array): PlacedPixels | undefined;
  /** The worker does not share any more; it may be asked again. */
  lost(): void;
  close(): void;
}

/** `root`: where shared memory lies; undefined: not to be used. */
export const shareMemory = (root: string | undefined): Sharing => {
  let current: { readonly pixels: SharedPixels; readonly call: { cancel(): void } } | undefined;
  let asking: Promise<void> | undefined;
  let over = false;

  const lost = () => {
    const closing = current;
    current = undefined;
    closing?.pixels.close();
    closing?.call.cancel();
  };
  const ask = async (client: WorkerClient, options: RequestOptions): Promise<void> => {
    if (root === undefined) return;
    let pixels: SharedPixels;
    try {
      pixels = openSharedPixels(root);
    } catch {
      return; // no shared memory here
    }
    const call = client.shareMemory({ name: pixels.name });
    const same = await beginningOf(call, options).then(
      (beginning) => beginning.equals(pixels.beginning),
      () => false,
    );
    try {
      pixels.unlink();
    } catch {
      // somebody has tidied up
    }
    if (!same || over) {
      call.cancel();
      pixels.close();
      return;
    }
    const opened = { pixels, call };
    current = opened;
    call.on("status", () => current === opened && lost());
  };

  return {
    get open() {
      return current !== undefined;
    },
    async ask(client, options) {
      if (current !== undefined || over) return;
      asking ??= ask(client, options).finally(() => {
        asking = undefined;
      });
      await asking;
    },
    put: (pixels) => current?.pixels.put(pixels),
    lost,
    close() {
      over = true;
      lost();
    },
  };
};

/** What the worker reads in the file. Rejects where it cannot, or does not say so in time. */
const beginningOf = (
  call: ClientReadableStream<ShareMemoryResponse__Output>,
  { signal, deadlineMs }: RequestOptions,
): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => call.cancel(), deadlineMs);
    const stop = () => call.cancel();
    signal.addEventListener("abort", stop, { once: true });
    const settled = () => {
      clearTimeout(late);
      signal.removeEventListener("abort", stop);
    };
    call.once("data", ({ beginning }) => {
      settled();
      resolve(beginning);
    });
    call.on("error", () => undefined); // its status says the same
    call.once("status", (status) => {
      settled();
      reject(new Error(status.details));
    });
  });
