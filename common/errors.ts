/** Every way in which Platestream can fail. The table is closed: a caller may switch over it. */
export const errorCodes = {
  "invalid-config": { grpc: 3, exit: 2, retry: false },
  "invalid-data": { grpc: 3, exit: 2, retry: false },
  "invalid-request": { grpc: 3, exit: 1, retry: false },
  "invalid-model": { grpc: 9, exit: 2, retry: false },
  "wrong-provider": { grpc: 9, exit: 2, retry: true }, // another worker may compute right
  "unknown-model": { grpc: 5, exit: 2, retry: false },
  "unknown-statistics": { grpc: 9, exit: 1, retry: true },
  "unknown-images": { grpc: 9, exit: 1, retry: true },
  "unreadable-image": { grpc: 3, exit: 1, retry: false },
  "not-served": { grpc: 12, exit: 1, retry: false },
  "too-large": { grpc: 8, exit: 1, retry: false },
  "worker-unavailable": { grpc: 14, exit: 1, retry: true },
  "no-worker": { grpc: 14, exit: 1, retry: true },
  "bus-unavailable": { grpc: 14, exit: 1, retry: true },
  "queue-full": { grpc: 14, exit: 1, retry: true },
  deadline: { grpc: 4, exit: 1, retry: true },
  unauthenticated: { grpc: 16, exit: 2, retry: true }, // another worker, or a later moment, may know the token
  "permission-denied": { grpc: 7, exit: 2, retry: true },
  "too-many-calls": { grpc: 8, exit: 1, retry: true },
  "plugin-failed": { grpc: 13, exit: 1, retry: true },
  cancelled: { grpc: 1, exit: 130, retry: false },
  system: { grpc: 8, exit: 1, retry: true }, // a full disk, too few descriptors, a folder that may not be written to
  internal: { grpc: 13, exit: 1, retry: true },
} as const satisfies Record<string, { grpc: number; exit: number; retry: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * The one error class of the project.
 *
 * A message states the rule, the value that broke it and the way out; the code stands in front of it so that it can be
 * searched for. `rawMessage` is the message without the code. On the wire the code travels in the metadata key
 * `platestream-code`, beside the gRPC status of the table above.
 */
export class PlatestreamError extends Error {
  override readonly name = "PlatestreamError";
  readonly code: ErrorCode;
  readonly rawMessage: string;
  /** Name of the stage that failed, where one did. */
  readonly stage: string | undefined;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; stage?: string | undefined }) {
    super(`[${code}] ${message}`, options);
    this.code = code;
    this.rawMessage = message;
    this.stage = options?.stage;
  }

  /** Returns `thrown` itself when it is one of ours, and wraps anything else with the given code. */
  static from(thrown: unknown, code: ErrorCode = "internal"): PlatestreamError {
    if (thrown instanceof PlatestreamError) return thrown;
    if (thrown instanceof Error && thrown.name === "AbortError") {
      return new PlatestreamError("cancelled", "the run was cancelled", { cause: thrown });
    }
    if (code === "internal" && isSystemError(thrown)) {
      return new PlatestreamError("system", `the operating system refused: ${wordsOf(thrown)}`, { cause: thrown });
    }
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new PlatestreamError(code, message, { cause: thrown });
  }

  /** The same error with "where" put in front of its message: which plugin, stage, experiment or item it concerns. */
  at(where: string, stage: string | undefined = this.stage): PlatestreamError {
    return new PlatestreamError(this.code, `${where}: ${this.rawMessage}`, { cause: this.cause ?? this, stage });
  }
}

const isSystemError = (thrown: unknown): thrown is NodeJS.ErrnoException =>
  thrown instanceof Error && typeof (thrown as NodeJS.ErrnoException).syscall === "string";

const remedies: Readonly<Record<string, string>> = {
  EMFILE: "allow more with `ulimit -n`",
  ENFILE: "the machine has too many files open",
  ENOSPC: "make room on the disk, and start the same command again",
  EDQUOT: "this user's share of the disk is used up",
  EROFS: "choose a folder that can be written to",
  EACCES: "choose a folder that this user may write to",
};

const wordsOf = ({ message, code }: NodeJS.ErrnoException): string => {
  const remedy = remedies[code ?? ""];
  return remedy === undefined ? message : `${message}; ${remedy}`;
};

/** What a person sees for any number of problems found at once: one heading, one line per problem. */
export const listProblems = (heading: string, problems: readonly string[], most = 50): string => {
  const shown = problems.slice(0, most).map((problem) => `  - ${problem}`);
  const rest = problems.length - shown.length;
  return [heading, ...shown, ...(rest > 0 ? [`  … and ${rest} more`] : [])].join("\n");
};
