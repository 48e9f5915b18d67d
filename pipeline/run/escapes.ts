/**
 * Errors that leave a stage outside its stream: thrown by an observer, a timer or a callback, or a promise that nobody
 * waits for. Node knows in whose behalf they ran, so that they end one experiment instead of the process.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const owners = new AsyncLocalStorage<(thrown: unknown) => void>();

/** Does some work; what it throws later, out of reach of whoever called it, goes to `owner`. */
export const onBehalfOf = <T>(owner: (thrown: unknown) => void, work: () => T): T => owners.run(owner, work);

/** From now on such errors go to their owners; one without an owner ends the process as it always would. */
export const catchEscapes = (): void => {
  const escaped = (thrown: unknown) => {
    const owner = owners.getStore();
    if (owner !== undefined) return owner(thrown);
    process.off("uncaughtException", escaped).off("unhandledRejection", escaped);
    setImmediate(() => {
      throw thrown;
    });
  };
  process.on("uncaughtException", escaped).on("unhandledRejection", escaped);
};
