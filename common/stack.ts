/** The lines of an error's stack that are neither a library's nor Node's. */
export const ownFrames = (error: Error): string[] =>
  (error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at ") && !/node_modules|node:/.test(line));
