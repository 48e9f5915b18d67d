/** Bearer tokens: who may ask what of a server. A server holds their hashes only. */

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { listProblems, PlatestreamError } from "../errors.ts";
import { readOptionFile } from "../read-file.ts";
import { problemsIn } from "../schema.ts";

/** `predict`: everything of a worker; `subscribe`: read results; `submit`: queue experiments. */
export const roles = ["predict", "subscribe", "submit"] as const;
export type Role = (typeof roles)[number];

const tokenEntry = z.strictObject({
  name: z.string().min(1).max(100).describe("who has it; appears in errors and logs"),
  roles: z.array(z.enum(roles)).min(1),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")
    .describe("hash of the token"),
  expires: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], { error: "expected a date, as in 2027-01-31" })
    .optional()
    .describe("from then on (UTC) it is refused; without it, never"),
});
export type TokenEntry = z.output<typeof tokenEntry>;

/** What a token file holds: a list of entries, in YAML or JSON. */
const tokenList = z
  .array(tokenEntry, { error: "expected a list of tokens" })
  .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, {
    error: "expected every name once",
  });

/** @throws PlatestreamError `invalid-config` with everything that is wrong in it */
export const readTokens = async (path: string): Promise<readonly TokenEntry[]> => {
  const fail = (what: string, cause?: unknown): never => {
    throw new PlatestreamError("invalid-config", `--tokens ${path} ${what}`, { cause });
  };
  const text = (await readOptionFile("--tokens", path)).toString("utf8");
  const value = parseText(text, (cause) => fail("is neither YAML nor JSON", cause));
  const parsed = tokenList.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: at, message }) => {
    const place = at.map((key) => (typeof key === "number" ? key + 1 : String(key))).join(" ");
    return `${place === "" ? "" : `entry ${place}: `}${message}`;
  });
  return fail(listProblems("must be a list of entries as `pipeline token new` writes them, and is not:", problems));
};

/**
 * The tokens of a file, now and after it has changed: it is looked at every other second, for as long as the process lives.
 *
 * A file that is gone or empty when it is looked at twice revokes every token: whoever deletes it wants nobody let in.
 * One that is damaged changes nothing. `onProblem` gets both at that moment.
 */
export const followTokens = async (
  path: string,
  onProblem: (problem: PlatestreamError) => void,
  everyMs = 2_000,
): Promise<() => readonly TokenEntry[]> => {
  let entries = await readTokens(path);
  const revokeAll = (what: string): void => {
    entries = [];
    onProblem(
      new PlatestreamError("invalid-config", `--tokens ${path} ${what}: every token is revoked, nobody is let in`),
    );
  };
  const readAgain = async (): Promise<void> => {
    let text = await textOf(path);
    if (isGone(text)) {
      // It may be about to be written.
      await sleep(everyMs, undefined, { ref: false });
      text = await textOf(path);
      if (isGone(text)) return revokeAll(text === undefined ? "is gone" : "is empty");
    }
    const read = await readTokens(path);
    if (read.length === 0) return revokeAll("holds no token");
    entries = read;
  };
  watchFile(path, { interval: everyMs, persistent: false }, () => {
    readAgain().catch((error) => onProblem(PlatestreamError.from(error)));
  });
  return () => entries;
};

/** Undefined: there is no such file. */
const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new PlatestreamError("invalid-config", `--tokens ${path} cannot be read: ${error.message}`, { cause: error });
  });

const isGone = (text: string | undefined): boolean => text === undefined || text.trim() === "";

/** Neither text nor parser's complaint is repeated: a token may have been put there by mistake. */
const parseText = (text: string, fail: (cause: unknown) => never): unknown => {
  try {
    return parseYaml(text, { schema: "failsafe" });
  } catch {
    return fail(undefined);
  }
};

const hash = (token: string): Buffer => createHash("sha256").update(token).digest();

export interface NewToken {
  /** To be shown once and kept by whoever uses it. */
  readonly token: string;
  readonly entry: TokenEntry;
}

/** 256 random bits. Throws "invalid-config" when what it is about makes no entry. */
export const newToken = (about: Omit<TokenEntry, "sha256">): NewToken => {
  const token = `platestream_${randomBytes(32).toString("base64url")}`;
  const parsed = tokenEntry.safeParse({ ...about, sha256: hash(token).toString("hex") });
  if (parsed.success) return { token, entry: parsed.data };
  const problems = problemsIn(parsed.error);
  throw new PlatestreamError("invalid-config", `this makes no token: ${problems.join("; ")}`);
};

/** The entry of a token; takes equally long whichever it is. */
const findToken = (entries: readonly TokenEntry[], token: string): TokenEntry | undefined => {
  const hashed = hash(token);
  let found: TokenEntry | undefined;
  for (const entry of entries) if (timingSafeEqual(hashed, Buffer.from(entry.sha256, "hex"))) found = entry;
  return found;
};

/**
 * The token in an `authorization` header, if it is one that may do what is asked.
 *
 * @param role undefined: any valid token will do
 * @throws PlatestreamError `unauthenticated`, or `permission-denied` where the token is valid and lacks the role
 */
export const authorise = (
  entries: readonly TokenEntry[],
  header: string | undefined,
  role: Role | undefined,
  now = Date.now(),
): TokenEntry => {
  const refuse = (why: string): never => {
    throw new PlatestreamError("unauthenticated", why);
  };
  const token = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
  if (token === undefined) return refuse("this server asks for a token: send it as `authorization: Bearer TOKEN`");
  const entry = findToken(entries, token);
  if (entry === undefined) return refuse("this server does not know the token; ask its operator for one");
  if (entry.expires !== undefined && now >= Date.parse(entry.expires)) {
    return refuse(`the token of ${entry.name} expired on ${entry.expires}; ask the server's operator for a new one`);
  }
  if (role !== undefined && !entry.roles.includes(role)) {
    throw new PlatestreamError(
      "permission-denied",
      `this call needs a token with the role ${role}, and that of ${entry.name} has ${entry.roles.join(", ")}`,
    );
  }
  return entry;
};
