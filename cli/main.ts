#!/usr/bin/env node
import { errorCodes, PlatestreamError } from "../common/errors.ts";
import { catchEscapes } from "../pipeline/run/escapes.ts";
import { program } from "./program.ts";

catchEscapes();
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(); // whoever reads has left, as head does
  throw error;
});
try {
  await program().parseAsync();
} catch (thrown) {
  const error = PlatestreamError.from(thrown);
  process.stderr.write(`pipeline: ${error.message}\n`);
  if (error.code === "internal" && error.cause instanceof Error) process.stderr.write(`${error.cause.stack}\n`);
  process.exitCode = errorCodes[error.code].exit;
}
