/** How many files this process may have open. */
import { readFileSync } from "node:fs";
import { PlatestreamError } from "../../common/errors.ts";

/** Loading the program alone opens some two hundred at a time; with fewer, Node says that packages are missing which are there. */
const fewest = 256;

/**
 * Linux tells the limit in a file; elsewhere it is not looked at.
 *
 * @throws PlatestreamError `system` where there are too few to work with
 */
export const checkDescriptors = (): void => {
  const allowed = softLimit();
  if (allowed === undefined || allowed >= fewest) return;
  throw new PlatestreamError(
    "system",
    `this process may have ${allowed} files open at a time, and Platestream needs ${fewest} or more: allow more with \`ulimit -n 1024\``,
  );
};

/** Undefined: not known, or unlimited. */
const softLimit = (): number | undefined => {
  try {
    const digits = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
};
