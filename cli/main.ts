#!/usr/bin/env node
import "../gpu-worker/runtime/no-telemetry.ts"; // before anything that might load ONNX Runtime
import { Console } from "node:console";
import { errorCodes, PlatestreamError } from "../common/errors.ts";
import { catchEscapes, leave } from "../pipeline/run/escapes.ts";
import { checkDescriptors } from "./parts/descriptors.ts";
import { hideOwnLogins } from "./parts/hide-logins.ts";
import { program } from "./program.ts";

/** Writes what went wrong, and returns the exit code for it. */
const report = (thrown: unknown): number => {
  const error = PlatestreamError.from(thrown);
  process.stderr.write(`pipeline: ${error.message}\n`);
  if (error.code === "internal" && error.cause instanceof Error) process.stderr.write(`${error.cause.stack}\n`);
  return errorCodes[error.code].exit;
};

hideOwnLogins();
// Standard output is for results: what a plugin or a library logs is read by people.
globalThis.console = new Console(process.stderr);
catchEscapes(report);
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") leave(0); // whoever reads has left, as head does
  throw error;
});
try {
  checkDescriptors();
  await (await program()).parseAsync();
} catch (thrown) {
  process.exitCode = report(thrown);
}
