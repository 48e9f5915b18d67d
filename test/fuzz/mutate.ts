/** Makes inputs of inputs: bytes, words, numbers, and where it is JSON, the values in it. */

export type Random = () => number;

const below = (random: Random, end: number): number => Math.floor(random() * end);
const pick = <T>(random: Random, all: readonly T[]): T => all[below(random, all.length)]!;

const bytes = [0, 1, 9, 10, 13, 32, 34, 44, 0x7f, 0x80, 0xfe, 0xff];
const numbers = [
  "0",
  "-1",
  "1e308",
  "-0",
  "2147483648",
  "4294967296",
  "9007199254740993",
  "18446744073709551615",
  "0.5",
  "NaN",
];
const values: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, "", "a", "__proto__", "\0", "é", [], {}, [null], { a: 1 }],
  "x".repeat(5_000),
];
const words = [
  "__proto__",
  "constructor",
  "../",
  "/",
  "\\",
  "%00",
  "%",
  "\u0000",
  "\ufeff",
  "\r\n",
  "NaN",
  "Infinity",
  "null",
  "-",
  "1e9",
];

const longest = 1 << 16;

type Mutation = (input: Buffer, random: Random, others: readonly Uint8Array[], own: readonly string[]) => Buffer;

const at = (random: Random, input: Buffer): number => below(random, input.length + 1);

const insert = (input: Buffer, place: number, piece: Uint8Array): Buffer =>
  Buffer.concat([input.subarray(0, place), piece, input.subarray(place)]);

const mutations: readonly Mutation[] = [
  (input, random) => {
    const changed = Buffer.from(input);
    if (changed.length > 0) changed[below(random, changed.length)]! ^= 1 << below(random, 8);
    return changed;
  },
  (input, random) => {
    const changed = Buffer.from(input);
    if (changed.length > 0) changed[below(random, changed.length)] = pick(random, bytes);
    return changed;
  },
  // a number of 2 or 4 bytes, in either order
  (input, random) => {
    const changed = Buffer.from(input);
    if (changed.length < 4) return changed;
    const place = below(random, changed.length - 3);
    const value = pick(random, [0, 1, 2, 3, 7, 16, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, changed.length]);
    const write = pick(random, ["writeUInt32LE", "writeUInt32BE"] as const);
    if (random() < 0.5) changed[write](value >>> 0, place);
    else changed[random() < 0.5 ? "writeUInt16LE" : "writeUInt16BE"](value & 0xffff, place);
    return changed;
  },
  (input, random) => {
    const place = at(random, input);
    return Buffer.concat([input.subarray(0, place), input.subarray(place + 1 + below(random, 16))]);
  },
  (input, random) => input.subarray(0, at(random, input)),
  (input, random) => {
    const from = at(random, input);
    return insert(input, at(random, input), input.subarray(from, from + 1 + below(random, 64)));
  },
  (input, random) => insert(input, at(random, input), Buffer.from([pick(random, bytes)])),
  (input, random, _, own) =>
    insert(input, at(random, input), Buffer.from(pick(random, random() < 0.7 && own.length > 0 ? own : words))),
  (input, random, others) => {
    const other = Buffer.from(pick(random, others));
    return Buffer.concat([input.subarray(0, at(random, input)), other.subarray(at(random, other))]);
  },
  // a number in the text
  (input, random) => {
    const text = input.toString("latin1");
    const found = [...text.matchAll(/-?\d+(?:\.\d+)?/g)];
    if (found.length === 0) return input;
    const { index, 0: number } = pick(random, found);
    return Buffer.from(text.slice(0, index) + pick(random, numbers) + text.slice(index + number.length), "latin1");
  },
  // a word in the text by another
  (input, random, _, own) => {
    const text = input.toString("latin1");
    const found = [...text.matchAll(/[A-Za-z_]+/g)];
    if (found.length === 0) return input;
    const { index, 0: word } = pick(random, found);
    const other = pick(random, [...own, ...words, ...found.map(([each]) => each)]);
    return Buffer.from(text.slice(0, index) + other + text.slice(index + word.length), "latin1");
  },
  changeJson,
  changeJson,
];

/** Another value somewhere in JSON, or the same one under another key, or one less. */
function changeJson(input: Buffer, random: Random, _: readonly Uint8Array[], own: readonly string[]): Buffer {
  let value: unknown;
  try {
    value = JSON.parse(input.toString("utf8"));
  } catch {
    return input;
  }
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const walk = (holder: Record<string, unknown>) => {
    for (const [key, child] of Object.entries(holder)) {
      places.push([holder, key]);
      if (typeof child === "object" && child !== null) walk(child as Record<string, unknown>);
    }
  };
  const root = { value };
  walk(root);
  const [holder, key] = pick(random, places);
  const kind = random();
  if (kind < 0.5)
    holder[key] = pick(random, [...values, ...own, ...places.slice(0, 50).map(([from, name]) => from[name])]);
  else if (kind < 0.7) Reflect.deleteProperty(holder, key);
  else if (kind < 0.85)
    Object.defineProperty(holder, pick(random, [...words, ...own]), {
      value: holder[key],
      enumerable: true,
      configurable: true,
      writable: true,
    });
  else if (Array.isArray(holder[key])) (holder[key] as unknown[]).push(pick(random, values));
  try {
    return Buffer.from(JSON.stringify(root.value) ?? "");
  } catch {
    return input; // a value that is in itself now
  }
}

/** One to four mutations on top of each other. */
export const mutate = (
  input: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
  own: readonly string[],
): Uint8Array => {
  let changed = Buffer.from(input);
  for (let times = 1 + below(random, 4); times > 0; times--) {
    changed = Buffer.from(pick(random, mutations)(changed, random, others, own).subarray(0, longest));
  }
  return changed;
};
