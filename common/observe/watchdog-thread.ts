/** The thread of `watchdog.ts`. */
import { writeSync } from "node:fs";
import { constants } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { type LogFormat, openLog } from "./log.ts";

const { shared, format } = workerData as { shared: SharedArrayBuffer; format: LogFormat };
const state = new Int32Array(shared, 0, 2);
const labels = new Uint8Array(shared, 8);

const log = openLog({ format, level: "warn", write: (line) => void writeSync(2, line) });
const say = (what: string) => (format === "json" ? log.warn(what) : void writeSync(2, `pipeline: ${what}\n`));

/** What runs on the main thread, as it was labelled. */
const running = (): string => {
  const place = Atomics.load(state, 1);
  if (place === 0) return "something";
  const text = Buffer.from(labels.slice(place, labels.indexOf(10, place))).toString();
  return JSON.parse(text) as string;
};

const lookMs = 1_000;
const patienceMs = 10_000;
let last = -1;
let still = 0;
setInterval(() => {
  const beats = Atomics.load(state, 0);
  still = beats === last ? still + lookMs : 0;
  last = beats;
  if (still === patienceMs) {
    say(
      `${running()} has kept the program busy for ${patienceMs / 1_000} s without a break; three Ctrl-C or SIGTERM end it`,
    );
  }
}, lookMs);

/** How long the main thread may take to act on the third signal by itself. */
const actMs = 500;
let signals = 0;
const onSignal = () => {
  signals += 1;
  if (signals !== 3) return;
  setTimeout(() => {
    say(`ended by the third signal; ${running()} did not let go`);
    process.kill(process.pid, "SIGKILL");
  }, actMs);
};

interface SignalHandle {
  onsignal: () => void;
  start(signal: number): void;
}

/** Node offers signals to its main thread only; what it builds that on works in any thread. Without it the rest holds. */
const countSignals = () => {
  Object.assign(process, { noDeprecation: true });
  try {
    const { binding } = process as unknown as { binding(name: string): { Signal: new () => SignalHandle } };
    const { Signal } = binding.call(process, "signal_wrap");
    for (const signal of [constants.signals.SIGINT, constants.signals.SIGTERM]) {
      const handle = new Signal();
      handle.onsignal = onSignal;
      handle.start(signal);
    }
  } catch {
    return;
  }
};
parentPort!.once("message", countSignals);
