/** The bus of many machines: a work queue on NATS JetStream, with a record beside it for every experiment. */
import { z } from "zod";
import { PlatestreamError } from "../../../common/errors.ts";
import { parse } from "../../../common/schema.ts";
import type { Bus, Delivery } from "../bus.ts";
import { answerMs, type Msg, nuid, retryUntilAnswered } from "./connection.ts";
import type { NatsBusParts } from "./open.ts";
import type { DeadLetter, ExperimentRecord, QueuedExperiment } from "./records.ts";
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
}

/** Messages arrive at once; this finds what comes back: retries, and what a dead node had. */
const lookAgainMs = 1_000;

/** How often a node that has nothing to do looks for messages that nobody gets. */
const tidyMs = 5_000;

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
  let tidyAt = Date.now() + tidyMs;

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
          if (Date.now() >= tidyAt) {
            tidyAt = Date.now() + tidyMs;
            await dropSettled(parts, [...arrivals.keys()]);
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

const isEmpty = async ({ streams }: NatsBusParts, cellTypes: readonly string[]): Promise<boolean> => {
  if (cellTypes.length === 0) return false;
  for (const cellType of cellTypes) if ((await streams.unsettled(cellType)) > 0) return false;
  return true;
};

/** A server that was killed may have kept messages that it knows to be settled: it hands them to nobody. */
const dropSettled = async ({ streams, records }: NatsBusParts, cellTypes: readonly string[]): Promise<void> => {
  const { queue, experimentsOf } = streams.names;
  for (const cellType of cellTypes) {
    // One that is no experiment is not this one's to settle.
    const waiting = await streams.last<QueuedExperiment>(queue, experimentsOf(cellType)).catch(() => []);
    for (const { seq, value } of waiting) {
      const { state, submission } = (await records.get(value.id))?.value ?? {};
      const settled = submission === value.submission && (state === "done" || state === "failed");
      if (settled) await streams.remove(queue, seq).catch(() => undefined); // gone by now
    }
  }
};

/** Notes that this node has it, and keeps it while it is worked on. Undefined: there is nothing to do for it. */
const receive = async (
  parts: NatsBusParts,
  message: Msg,
  node: string,
  wake: () => void,
): Promise<Delivery | undefined> => {
  const { nc, streams, records } = parts;
  const settle = async (what: string) => {
    clearInterval(heartbeat);
    await retryUntilAnswered(nc, () => nc.request(message.reply!, what, { timeout: answerMs }));
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
    await settle("+TERM");
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
    await settle("+ACK");
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
      await settle("+ACK");
    },
    async retry(reason, waitMs) {
      if (!(await update({ state: "waiting", reason }))) return letGo();
      await settle(`-NAK ${JSON.stringify({ delay: waitMs * 1e6 })}`);
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
      await settle("+TERM");
      await update({ state: "failed" });
    },
    async requeue() {
      if (!(await update({ state: "queued", attempts: attempt - 1 }))) return letGo();
      await settle("-NAK");
    },
  };
};

const storeDeadLetter = async ({ streams }: NatsBusParts, letter: DeadLetter): Promise<void> => {
  const { cellType, id, attempts, at } = letter;
  await streams.publish(streams.names.deadLetter(cellType, id), letter, { id: `${id} ${attempts} ${at}` });
};
