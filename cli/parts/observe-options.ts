/** What every program that stays up offers those who run it: log lines, metrics and probes, and time to leave in. */
import { type Command, Option } from "commander";
import { type Log, type LogFormat, type LogLevel, logFormats, logLevels, openLog } from "../../common/observe/log.ts";
import { atLeast } from "./whole-number.ts";

export interface OperationsOptions {
  readonly metricsListen?: string;
  readonly logFormat?: LogFormat;
  readonly logLevel?: LogLevel;
  readonly grace: number;
}

/** Adds the options to a command. */
export const withOperations = (command: Command): Command =>
  operationsOptions().reduce((so, option) => so.addOption(option.helpGroup("Operations:")), command);

const operationsOptions = (): Option[] => [
  new Option("--metrics-listen <host:port>", "serve /metrics, /healthz and /readyz there; port 0 takes any free port"),
  new Option("--log-format <format>", "lines on stderr for people or for machines (default: text)").choices(logFormats),
  new Option("--log-level <level>", "minimum level to log (default: info)").choices(logLevels),
  new Option("--grace <seconds>", "after SIGTERM: time for work in progress to finish")
    .argParser(atLeast(0))
    .default(20),
];

export const openLogOn = (
  stream: NodeJS.WritableStream,
  { logFormat = "text", logLevel = "info" }: Pick<OperationsOptions, "logFormat" | "logLevel">,
): Log => openLog({ format: logFormat, level: logLevel, write: (line) => void stream.write(line) });
