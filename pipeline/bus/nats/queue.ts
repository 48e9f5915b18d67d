/** The bus of many machines: a work queue on NATS JetStream, with a record beside it for every experiment. */
import { z } from "zod";
import { PlatestreamError } from "../../../common/errors.ts";
import { parse } from "../../../common/schema.ts";
import type { Bus, Delivery } from "../bus.ts";
import { type Msg, nuid } from "./connection.ts";
import { isOpen, queueAgain, tidyQueue } from "./mend.ts";
import type { NatsBusParts } from "./open.ts";
import type { DeadLetter, ExperimentRecord, QueuedExperiment } from "./records.ts";
import { deliveryOf } from "./streams.ts";
import { submitToNats } from "./submit.ts";

export interface NatsBusOptions {
  /** Who takes experiments; unique among the nodes of the bus. */
  readonly node: string;
  /** What it takes now; the others are left to other nodes. */
  readonly cellTypes: () => readonly string[];
  /** Taking ends when no experiment of the cell types that it ever took is left unsettled, instead of waiting for more. */
  readonly untilEmpty: boolean;
  /** The queue takes no more for now; called once for every submission that waits. */
  readonly onFull: () => void;
  /** Something that a damaged store held up was put right. */
  readonly onMended: (what: string) => void;
}

/** Messages arrive at once; this finds what comes back: retries, and what a dead node had. */
const lookAgainMs = 1_000;

/** How often a node that has nothing to do looks for messages that nobody gets. */
const longestTidyMs = 5_000;

const queuedSchema = z.object({
  id: z.string(),
  cellType: z.string(),
  data: z.string(),
  submission: z.string(),
}) satisfies z.ZodType<QueuedExperiment>;

/** The bus over `parts`, which stay open when it is closed. */
export const openNatsBus = async (parts: NatsBusParts, options: NatsBusOptions): Promise<Bus> => {
  const { nc, streams } = parts;
  const { node } = options;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const each of waiting) each();
  };
  /** Cell types that it took at some time, and subscriptions to new experiments. */
  const arrivals = new Map<string, { unsubscribe(): void }>();
  const openCellType = async (cellType: string): Promise<void> => {
    if (arrivals.has(cellType)) return;
    arrivals.set(cellType, nc.subscribe(streams.names.experimentsOf(cellType), { callback: wake }));
    await streams.openConsumers([cellType]);
  };
  let turn = 0;
  const tidyMs = Math.min(longestTidyMs, streams.limits.ackWaitMs);
  let tidyAt = performance.now() + tidyMs;
  const tidy = tidyQueue(parts, streams.limits.ackWaitMs);

  /** The next message of any cell type; they take turns, so that none starves. */
  const nextMessage = async (): Promise<Msg | undefined> => {
    turn += 1;
    const cellTypes = options.cellTypes();
    for (let i = 0; i < cellTypes.length; i++) {
      const cellType = cellTypes[(turn + i) % cellTypes.length]!;
      await openCellType(cellType);
      const message = await streams.next(cellType);
      if (message !== undefined) return message;
    }
    return undefined;
  };
  const pause = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, lookAgainMs);
      waiting.add(end);
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
    });

  return {
    submit: (experiments) => submitToNats(parts, experiments, options.onFull),
    async take(signal) {
      while (!signal.aborted) {
        const message = await nextMessage();
        if (message !== undefined && signal.aborted) {
          nc.publish(message.reply!, "-NAK");
        } else if (message !== undefined) {
          const delivery = await receive(parts, message, node, wake);
          if (delivery !== undefined) return delivery;
        } else if (options.untilEmpty && (await isEmpty(parts, [...arrivals.keys()]))) {
          return undefined;
        } else {
          if (performance.now() >= tidyAt) {
            tidyAt = performance.now() + tidyMs;
            for (const what of await tidy([...arrivals.keys()])) options.onMended(what);
          }
          await pause(signal);
        }
      }
      return undefined;
    },
    async close() {
      for (const arrival of arrivals.values()) arrival.unsubscribe();
      wake();
    },
  };
};

const isEmpty = async ({ streams, records }: NatsBusParts, cellTypes: readonly string[]): Promise<boolean> => {
  if (cellTypes.length === 0) return false;
  for (const cellType of cellTypes) if ((await streams.unsettled(cellType)) > 0) return false;
  // What the queue has lost comes back from the records.
  return !(await records.all()).some((record) => isOpen(record) && cellTypes.includes(record.cellType));
};

/** Notes that this node has it, and keeps it while it is worked on. Undefined: there is nothing to do for it. */
const receive = async (
  parts: NatsBusParts,
  message: Msg,
  node: string,
  wake: () => void,
): Promise<Delivery | undefined> => {
  const { nc, streams, records } = parts;
  /** Takes it off the queue. Where the queue or its consumer was deleted meanwhile, there may be less to do, or more. */
  const remove = async (reply: "+ACK" | "+TERM") => {
    clearInterval(heartbeat);
    if ((await streams.settle(message, reply)) === "orphaned")
      await streams.remove(streams.names.queue, deliveryOf(message).seq);
    wake();
  };
  const putBack = async (reply: string, queued: QueuedExperiment) => {
    clearInterval(heartbeat);
    if ((await streams.settle(message, reply)) === "gone") await queueAgain(parts, queued);
    wake();
  };
  const heartbeat = setInterval(() => {
    if (nc.isClosed() || nc.isDraining()) clearInterval(heartbeat);
    else nc.publish(message.reply!, "+WPI");
  }, streams.limits.ackWaitMs / 3);

  let queued: QueuedExperiment;
  try {
    queued = parse(queuedSchema, message.json(), `message on ${message.subject}`, "invalid-data");
  } catch (error) {
    const reason = PlatestreamError.from(error).message;
    const [, , cellType = "", id = ""] = message.subject.split(".");
    await storeDeadLetter(parts, { id, cellType, data: "", attempts: 0, reason, node, at: new Date().toISOString() });
    await remove("+TERM");
    return undefined;
  }

  const { submission, ...experiment } = queued;
  const delivery = nuid.next();
  let taken: ExperimentRecord | undefined;
  let suspect = false;
  await records.change(experiment.id, (record) => {
    if (record?.delivery === delivery) return undefined;
    const again = record?.submission === submission;
    const attempts = (again ? record.attempts : 0) + 1;
    suspect = again && record.state === "running";
    taken =
      record?.state === "done"
        ? undefined
        : { ...queued, state: "running", attempts, node, delivery, since: new Date().toISOString() };
    return taken;
  });
  if (taken === undefined) {
    await remove("+ACK");
    return undefined;
  }

  const { attempts: attempt } = taken;
  /** Changes the record if the experiment is still this delivery's; says whether it is. */
  const update = async (change: Partial<ExperimentRecord>): Promise<boolean> => {
    let own = false;
    await records.change(experiment.id, (record) => {
      own = record?.delivery === delivery && record.state !== "done";
      return own ? { ...record!, ...change, since: new Date().toISOString() } : undefined;
    });
    return own;
  };
  const letGo = () => clearInterval(heartbeat);

  return {
    experiment,
    attempt,
    suspect,
    async done() {
      // Whoever finishes it has finished it, even if another node was given it meanwhile.
      await records.change(experiment.id, (record) =>
        record?.state === "done"
          ? undefined
          : { ...taken!, ...record, state: "done", node, since: new Date().toISOString() },
      );
      await remove("+ACK");
    },
    async retry(reason, waitMs) {
      if (!(await update({ state: "waiting", reason }))) return letGo();
      await putBack(`-NAK ${JSON.stringify({ delay: waitMs * 1e6 })}`, queued);
    },
    async fail(reason, stage, attempts) {
      if (!(await update({ reason, attempts }))) return letGo();
      const at = new Date().toISOString();
      await storeDeadLetter(parts, {
        ...experiment,
        attempts,
        reason,
        ...(stage === undefined ? {} : { stage }),
        node,
        at,
      });
      await remove("+TERM");
      await update({ state: "failed" });
    },
    async requeue() {
      if (!(await update({ state: "queued", attempts: attempt - 1 }))) return letGo();
      await putBack("-NAK", queued);
    },
  };
};

const storeDeadLetter = async ({ streams }: NatsBusParts, letter: DeadLetter): Promise<void> => {
  const { cellType, id, attempts, at } = letter;
  await streams.publish(streams.names.deadLetter(cellType, id), letter, { id: `${id} ${attempts} ${at}` });
};
