/** Parses what users write. One schema gives types, defaults and descriptions; its complaints become one error. */
import { z } from "zod";
import { type ErrorCode, listProblems, PlatestreamError } from "./errors.ts";

/** What is wrong with a file of ours, a place and a rule each. */
export const problemsIn = ({ issues }: z.ZodError): string[] =>
  issues.map(({ path, message }) => `${path.join(".") || "the whole file"}: ${message}`);

/** Parses `value` or throws, naming every key that is wrong, its place, and what is known there. */
export const parse = <S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: string,
  code: ErrorCode = "invalid-config",
): z.output<S> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describeIssue(schema, value, issue));
  throw new PlatestreamError(
    code,
    problems.length === 1 ? `${where}: ${problems[0]}` : listProblems(`${where}:`, problems),
  );
};

const describeIssue = (schema: z.ZodType, value: unknown, issue: z.core.$ZodIssue): string[] => {
  const place = placeOf(issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(shapeAt(schema, issue.path) ?? {});
    const list = known.length > 0 ? `known are ${known.join(", ")}` : "none are known here";
    return issue.keys.map((key) => `unknown key "${key}"${place === "" ? "" : ` in ${place}`}; ${list}`);
  }
  const got = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
  const shown = got === undefined ? "nothing" : JSON.stringify(got);
  return [`${place === "" ? "" : `${place}: `}${issue.message.replace(/^Invalid input: /, "")}, got ${shown}`];
};

const placeOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (place, key) =>
      typeof key === "number" ? `${place}[${key}]` : place === "" ? String(key) : `${place}.${String(key)}`,
    "",
  );

/** The options of the object that `path` leads to, through defaults, optionals and arrays. */
const shapeAt = (schema: z.ZodType, path: readonly PropertyKey[]): Record<string, z.ZodType> | undefined => {
  let at: unknown = unwrap(schema);
  for (const key of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[key as string]);
    else if (at instanceof z.ZodArray) at = unwrap(at.element as z.ZodType);
    else if (at instanceof z.ZodRecord) at = unwrap(at.valueType as z.ZodType);
    else return undefined;
  }
  return at instanceof z.ZodObject ? at.shape : undefined;
};

const unwrap = (schema: z.ZodType | undefined): z.ZodType | undefined =>
  schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema;

/** One option as its reference shows it. */
export interface OptionDescription {
  readonly name: string;
  readonly type: string;
  /** As JSON; undefined: the option may be left out, or must be given if `required`. */
  readonly default: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

/** The options of a strict object, for reference pages. */
export const describeOptions = (schema: z.ZodType): OptionDescription[] => {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return Object.entries(json.properties ?? {}).map(([name, option]) => ({
    name,
    type: typeOf(option),
    default: option.default === undefined ? undefined : JSON.stringify(option.default),
    required: json.required?.includes(name) ?? false,
    description: option.description ?? "",
  }));
};

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Record<string, JsonSchema>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
}

const typeOf = (schema: JsonSchema): string => {
  if (schema.enum !== undefined) return schema.enum.join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `list of ${schema.items === undefined ? "anything" : typeOf(schema.items)}`;
  return schema.type ?? "anything";
};
