/** Bounds the bytes of pixels that are alive: RxJS has no back-pressure, so whoever makes pixels asks here first. */

import { Session } from "node:inspector";
import { PlatestreamError } from "../../common/errors.ts";
import { byteSize } from "../../common/quantities.ts";
import type { Lease } from "../../screen/site-image.ts";
import type { Memory } from "../stage/stage.ts";

interface Waiter {
  readonly bytes: number;
  readonly grant: (lease: Lease) => void;
}

/** What a lease holds; kept apart from it, so that a forgotten lease can be collected while this stays. */
interface Holding {
  bytes: number;
  owners: number;
}

/** How long nothing may move before forgotten leases are looked for. */
const patienceMs = { first: 500, most: 8_000 };

/**
 * Grants are first come, first served. A stage that drops an item without releasing its lease (`filter` does) loses
 * nothing: once the item is unreachable its bytes come back, and while somebody waits and nothing moves, the collector
 * is asked to find such items.
 */
export class PixelMemory implements Memory {
  readonly capacity: number;
  #used = 0;
  #peak = 0;
  readonly #waiters: Waiter[] = [];
  readonly #forgotten = new FinalizationRegistry<Holding>((holding) => this.#free(holding));
  readonly #holdings = new WeakMap<Lease, Holding>();
  readonly #shared = new Set<Holding>();
  #overReleased = 0;
  #forgottenShared = 0;
  #stalled: NodeJS.Timeout | undefined;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Bytes that leases hold now. */
  get used(): number {
    return this.#used;
  }

  /** Most bytes that were ever held together. */
  get peak(): number {
    return this.#peak;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiters.length;
  }

  acquire(bytes: number, signal: AbortSignal): Promise<Lease> {
    if (bytes > this.capacity) {
      const message = `one image takes ${byteSize(bytes)}, the pixels of an experiment may take ${byteSize(this.capacity)}; raise memoryMiB`;
      return Promise.reject(new PlatestreamError("too-large", message));
    }
    return new Promise((resolve, reject) => {
      const cancel = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.#grant();
        reject(new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason }));
      };
      const waiter: Waiter = {
        bytes,
        grant: (lease) => {
          signal.removeEventListener("abort", cancel);
          resolve(lease);
        },
      };
      if (signal.aborted)
        return reject(new PlatestreamError("cancelled", "the run was cancelled", { cause: signal.reason }));
      signal.addEventListener("abort", cancel, { once: true });
      this.#waiters.push(waiter);
      this.#grant();
    });
  }

  account(lease: Lease, bytes: number): void {
    const holding = this.#holdings.get(lease);
    if (holding === undefined || holding.owners === 0) return;
    this.#used += bytes - holding.bytes;
    this.#peak = Math.max(this.#peak, this.#used);
    holding.bytes = bytes;
    this.#grant();
  }

  /** What was wrong with the stages' retaining and releasing, once they are through. */
  imbalances(): string[] {
    const kept = this.#shared.size + this.#forgottenShared;
    return [
      ...(this.#overReleased > 0
        ? [`pixels were released ${this.#overReleased} times too often: a stage released what it had not retained`]
        : []),
      ...(kept > 0 ? [`the pixels of ${kept} images were retained more often than they were released`] : []),
    ];
  }

  #grant(): void {
    while (this.#waiters[0] !== undefined && this.#used + this.#waiters[0].bytes <= this.capacity) {
      const { bytes, grant } = this.#waiters.shift()!;
      this.#used += bytes;
      this.#peak = Math.max(this.#peak, this.#used);
      grant(this.#lease({ bytes, owners: 1 }));
    }
    clearTimeout(this.#stalled);
    if (this.#waiters.length > 0) this.#lookForForgotten(patienceMs.first);
  }

  #lease(holding: Holding): Lease {
    const lease: Lease = {
      get bytes() {
        return holding.bytes;
      },
      retain: () => {
        holding.owners += 1;
        this.#shared.add(holding);
      },
      release: () => {
        if (holding.owners === 0) {
          this.#overReleased += 1;
          return;
        }
        holding.owners -= 1;
        if (holding.owners > 0) return;
        this.#shared.delete(holding);
        this.#forgotten.unregister(holding);
        this.#used -= holding.bytes;
        this.#grant();
      },
    };
    this.#holdings.set(lease, holding);
    this.#forgotten.register(lease, holding, holding);
    return lease;
  }

  #free(holding: Holding): void {
    if (this.#shared.delete(holding)) this.#forgottenShared += 1;
    holding.owners = 0;
    this.#used -= holding.bytes;
    this.#grant();
  }

  #lookForForgotten(delay: number): void {
    this.#stalled = setTimeout(() => {
      collectGarbage();
      this.#lookForForgotten(Math.min(delay * 2, patienceMs.most));
    }, delay);
  }
}

/** As the button of the developer tools does. */
const collectGarbage = (): void => {
  const tools = new Session();
  tools.connect();
  tools.post("HeapProfiler.collectGarbage", () => setImmediate(() => tools.disconnect()));
};
