/** What programs without a terminal say: one line per event, for people or for machines. Made at the door and passed on. */

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

/** Beside the message: what it is about. Fields that are undefined are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  /** Lines below it are not written. */
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line has these fields. */
  with(fields: LogFields): Log;
}

/** A line of JSON, read. */
export interface LogLine extends LogFields {
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
}

/** Undefined: it is not a line of JSON that a log has written. */
export const readLogLine = (line: string): LogLine | undefined => {
  try {
    const { time, level, message, ...fields } = Object(JSON.parse(line));
    return logLevels.includes(level) && typeof message === "string" ? { time, level, message, ...fields } : undefined;
  } catch {
    return undefined;
  }
};

export interface LogOptions {
  readonly format: LogFormat;
  /** Lines below it are not written. */
  readonly level: LogLevel;
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
}

/** `json`: `{"time", "level", "message", ...fields}`; `text`: the same in that order, with `field=value` at the end. */
export const openLog = (options: LogOptions, always: LogFields = {}): Log => {
  const render = options.format === "json" ? renderJson : renderText;
  const least = logLevels.indexOf(options.level);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(level) < least) return;
      options.write(`${render(new Date().toISOString(), level, message, { ...always, ...fields })}\n`);
    };
  return {
    level: options.level,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => openLog(options, { ...always, ...fields }),
  };
};

type Render = (time: string, level: LogLevel, message: string, fields: LogFields) => string;

const renderJson: Render = (time, level, message, fields) => JSON.stringify({ time, level, message, ...fields });

/** Names come from clients and files: a line must stay a line, whatever they hold. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]+/gu;

const renderText: Render = (time, level, message, fields) =>
  [
    time,
    level.padEnd(5),
    message.replaceAll(unprintable, " "),
    ...Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${quoted(`${value}`)}`],
    ),
  ].join(" ");

const quoted = (value: string): string =>
  /^[^\s"=\p{C}]+$/u.test(value) ? value : JSON.stringify(value).replaceAll(unprintable, " ");
