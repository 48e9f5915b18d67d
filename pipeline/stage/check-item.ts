/** What a port carries, looked at while a run goes: a plugin in JavaScript, or with a cast, may give something else. */
import type { Port } from "./stage.ts";

type Fields = Readonly<Record<string, unknown>>;
type Rule = readonly [field: string, is: string, holds: (value: unknown, item: Fields) => boolean];

const text = (field: string): Rule => [field, "a text", (value) => typeof value === "string"];
const object = (field: string): Rule => [field, "an object", (value) => typeof value === "object" && value !== null];
const list = (field: string): Rule => [field, "a list", Array.isArray];
const floats = (field: string): Rule => [field, "a Float32Array", (value) => value instanceof Float32Array];

const size = ({ channels, height, width }: Fields): number => Number(channels) * Number(height) * Number(width);

const rules: Readonly<Partial<Record<Port, readonly Rule[]>>> = {
  site: [text("experiment"), text("plate"), text("well"), list("images")],
  "site-image": [
    object("site"),
    object("lease"),
    [
      "pixels",
      "a Uint8Array or Uint16Array (what is not a whole number goes into affine, as scale and offset)",
      (value) => value instanceof Uint8Array || value instanceof Uint16Array,
    ],
    [
      "pixels",
      "as many as channels x height x width",
      (value, item) => (value as ArrayLike<number>).length === size(item),
    ],
  ],
  batch: [text("domain"), ["images", "a list with an image", (value) => Array.isArray(value) && value.length > 0]],
  "site-prediction": [object("site"), object("model"), floats("logits"), floats("features")],
  "well-prediction": [text("plate"), text("well"), object("model"), floats("probabilities"), floats("features")],
  call: [
    object("prediction"),
    text("treatment"),
    ["probability", "a finite number", Number.isFinite],
    ["margin", "a finite number", Number.isFinite],
    list("flags"),
  ],
};

/** Fields that hold what another port carries, one or a list. */
const parts: Readonly<Partial<Record<Port, readonly [field: string, holds: Port]>>> = {
  "site-image": ["site", "site"],
  batch: ["images", "site-image"],
  "site-prediction": ["site", "site"],
  call: ["prediction", "well-prediction"],
};

/** Undefined where the item is what the port carries; ports that plugins declare carry anything. */
export const itemProblem = (port: Port, item: unknown): string | undefined => {
  if (typeof item !== "object" || item === null) return `"${port}" carries objects, it gave ${shown(item)}`;
  const fields = item as Fields;
  const broken = rules[port]?.find(([field, , holds]) => !holds(fields[field], fields));
  if (broken === undefined) return partProblem(port, fields);
  const [field, is] = broken;
  return `the ${field} of "${port}" must be ${is}, it gave ${shown(fields[field])}`;
};

const partProblem = (port: Port, item: Fields): string | undefined => {
  const part = parts[port];
  if (part === undefined) return undefined;
  const [field, holds] = part;
  for (const each of [item[field]].flat()) {
    const problem = itemProblem(holds, each);
    if (problem !== undefined) return `${problem}, as the ${field} of "${port}"`;
  }
  return undefined;
};

const shown = (value: unknown): string => {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean")
    return `${value}`;
  if (typeof value === "string") return `"${value.slice(0, 40)}"`;
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? typeof value;
  return "length" in (value as object) ? `${name} of ${(value as { length: number }).length}` : name;
};
