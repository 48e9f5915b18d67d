/** One row of the table: a scene, its fault, and what became of the experiments. */
import { setTimeout as sleep } from "node:timers/promises";
import { readDeadLetters } from "../../pipeline/bus/nats/dead-letters.ts";
import { natsEvents } from "../../pipeline/bus/nats/events.ts";
import { experiments, type Fault, type GivenUp } from "./fault.ts";
import { compare, type Event, type Outcome, readOutcome } from "./outcome.ts";
import { runPipeline } from "./processes.ts";
import { openScene, type Scene } from "./scene.ts";

/** A row that takes longer hangs. */
const limitSeconds = 60;
/** On a machine that is slow or busy, the undisturbed run says how slow. */
const slowest = 8;

export interface Row {
  readonly fault: string;
  /** Experiments whose calls are there. */
  readonly called: number;
  readonly lost: number;
  readonly doubled: number;
  /** Whether all that is there is equal to the undisturbed run's, byte for byte. */
  readonly equal: boolean;
  /** From the blow until all experiments that were running then are done or failed. */
  readonly recoverySeconds: number | undefined;
  readonly seconds: number;
  /** What is not as it must be; empty for a row that passes. */
  readonly problems: readonly string[];
}

export interface Where {
  readonly data: string;
  readonly model: string;
}

/** Runs all experiments without a fault: what all rows are compared with. */
export const runUndisturbed = async (folder: string, where: Where): Promise<Outcome & { readonly seconds: number }> => {
  const started = Date.now();
  return inScene(folder, where, { workers: 1, nodes: 1 }, 600, async (scene) => {
    await scene.settled(experiments);
    const seconds = (Date.now() - started) / 1000;
    const { events, folders } = await scene.finish();
    return { ...(await readOutcome(events, folders)), seconds };
  });
};

export const runFault = async (
  fault: Fault,
  folder: string,
  where: Where,
  reference: Outcome & { readonly seconds: number },
): Promise<Row> => {
  const started = Date.now();
  const limit = Math.max(limitSeconds, slowest * reference.seconds) * (fault.longer ?? 1);
  const row = await inScene(folder, where, fault.arrange, limit, (scene) => play(scene, fault, reference)).catch(
    ({ message }: Error) => ({ ...nothing, problems: [message] }),
  );
  return { fault: fault.name, seconds: (Date.now() - started) / 1000, ...row };
};

const nothing = { called: 0, lost: experiments.length, doubled: 0, equal: false, recoverySeconds: undefined };

/** Opens a scene, closes it whatever happens, and says what the nodes complained of where something does. */
const inScene = async <T>(
  folder: string,
  where: Where,
  arrange: Fault["arrange"],
  seconds: number,
  play: (scene: Scene) => Promise<T>,
): Promise<T> => {
  const late = sleep(seconds * 1000, undefined, { ref: false }).then(() => {
    throw new Error(`hangs: not over after ${seconds.toFixed(0)} s`);
  });
  const opening = openScene(folder, where, arrange);
  const closed = () => opening.then((scene) => scene.close());
  try {
    const scene = await Promise.race([opening, late]);
    return await Promise.race([play(scene), late]).catch((error: Error) => {
      throw new Error([error.message, ...complaints(scene)].join("\n"));
    });
  } finally {
    await Promise.race([closed(), sleep(10_000, undefined, { ref: false })]);
  }
};

const complaints = ({ nodes, workers }: Scene): string[] =>
  [...nodes, ...workers].flatMap(({ name, complaints: lines }) => lines.slice(-5).map((line) => `${name}: ${line}`));

const play = async (scene: Scene, fault: Fault, reference: Outcome): Promise<Omit<Row, "fault" | "seconds">> => {
  await fault.break(scene);
  await scene.settled(experiments);
  const destroyed = fault.destroys === true;
  const finished = await scene.finish(!destroyed);
  const { folders } = finished;
  let { events } = finished;
  if (destroyed) {
    await runPipeline("repair", "--bus", scene.server.url, ...folders.flatMap((folder) => ["--results", folder]));
    events = await storedEvents(scene);
  }
  const called = experiments.filter((each) => each !== fault.givenUp?.experiment);
  const seen = destroyed ? [] : scene.subscribers.map((subscriber) => subscriber.seen);
  const { lost, doubled, different, wrong } = await compare(reference, { events, seen, folders }, called);
  const problems = [...(destroyed ? [] : wrong), ...(await checkLetters(scene, fault.givenUp))];
  const recoverySeconds = recovery(scene);
  if (recoverySeconds === undefined && !destroyed && fault.arrange.clock !== true)
    problems.push("nothing was running when it happened");
  for (const [what, names] of Object.entries({ lost, doubled, different })) {
    if (names.length > 0)
      problems.push(`${names.length} ${what}: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`);
  }
  return {
    called: called.length,
    lost: lost.length,
    doubled: doubled.length,
    equal: different.length === 0,
    recoverySeconds,
    problems,
  };
};

const storedEvents = async (scene: Scene): Promise<Event[]> => {
  const events: Event[] = [];
  const { signal } = new AbortController();
  for await (const event of natsEvents(scene.bus).follow({}, { after: 0, storedOnly: true, signal }))
    events.push(event);
  return events;
};

/** Seconds from the blow until the last experiment that a node had in hand then is done or failed, as the nodes say. */
const recovery = ({ nodes, struckAt = 0 }: Scene): number | undefined => {
  const said = nodes.flatMap((node) => node.said);
  const times = (...types: string[]) =>
    said
      .filter(({ type }) => types.includes(type))
      .map(({ experiment, time }) => [experiment!, Date.parse(time!)] as const)
      .sort(([, a], [, b]) => b - a);
  const ends = new Map(times("experiment-done", "experiment-failed")); // the first of each
  const hit = times("experiment-running")
    .filter(([experiment, at]) => at <= struckAt && ends.get(experiment)! > struckAt)
    .map(([experiment]) => ends.get(experiment)!);
  return hit.length === 0 ? undefined : (Math.max(...hit) - struckAt) / 1000;
};

/** The dead letters must be the expected one, with its reason, stage and attempts, and no other. */
const checkLetters = async ({ bus }: Scene, expected: GivenUp | undefined): Promise<string[]> => {
  const letters = await readDeadLetters(bus);
  const found = letters.map(({ id, attempts, stage, reason }) => ({ id, attempts, stage, reason }));
  const right = ({ id, attempts, stage, reason }: (typeof found)[number]) =>
    id === expected?.experiment &&
    attempts === expected.attempts &&
    stage === expected.stage &&
    expected.reason.test(reason);
  return found.length === (expected === undefined ? 0 : 1) && found.every(right)
    ? []
    : [`the dead letters are ${JSON.stringify(found)}`];
};
