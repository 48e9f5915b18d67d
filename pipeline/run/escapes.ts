/**
 * Errors that leave a stage outside its stream: thrown by an observer, a timer or a callback, or a promise that nobody
 * waits for. Nobody can say what state they leave behind, so they end the process; Node knows on whose behalf the code
 * ran, so that the error names it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { PlatestreamError } from "../../common/errors.ts";

type Locate = (thrown: unknown) => PlatestreamError;
const owners = new AsyncLocalStorage<Locate>();

/** Does some work; `locate` says of what it throws later, out of reach of whoever called it, where that was. */
export const onBehalfOf = <T>(locate: Locate, work: () => T): T => owners.run(locate, work);

/** From now on such errors are handed to `end`, located where they have an owner; it ends the process. */
export const catchEscapes = (end: (thrown: unknown) => never): void => {
  const escaped = (thrown: unknown) => end(owners.getStore()?.(thrown) ?? thrown);
  process.on("uncaughtException", escaped).on("unhandledRejection", escaped);
};
