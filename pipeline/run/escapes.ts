/**
 * Errors that leave a stage outside its stream: thrown by an observer, a timer or a callback, or a promise that nobody
 * waits for. Nobody can say what state they leave behind, so they end the process; Node knows on whose behalf the code
 * ran, so that the error names it. A stage that ends the process itself would leave a run that looks finished: that is
 * such an error, too.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { PlatestreamError } from "../../common/errors.ts";

type Locate = (thrown: unknown) => PlatestreamError;
const owners = new AsyncLocalStorage<Locate>();

/** Does some work; `locate` says of what it throws later, out of reach of whoever called it, where that was. */
export const onBehalfOf = <T>(locate: Locate, work: () => T): T => owners.run(locate, work);

let leaving = false;

/** Ends the process on the program's own account, whoever's code runs. */
export const leave = (code: number): never => {
  leaving = true;
  return process.exit(code);
};

/** From now on such errors are handed to `report`, located where they have an owner; it gives the exit code. */
export const catchEscapes = (report: (thrown: unknown) => number): void => {
  const escaped = (thrown: unknown) => leave(report(owners.getStore()?.(thrown) ?? thrown));
  process.on("uncaughtException", escaped).on("unhandledRejection", escaped);
  process.on("exit", (code) => {
    if (leaving || owners.getStore() === undefined) return;
    const error = new Error(`it ended the process, with exit code ${code}`);
    Error.captureStackTrace(error, process.exit); // from where it was called
    escaped(error);
  });
};
