/** Names of streams, consumers, buckets and subjects; docs/distribution.md lists them. */

/** Any text as one token of a subject: what is not a letter, digit, `_` or `-` becomes `=` and its UTF-8 bytes in hex. */
export const token = (text: string): string =>
  text.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );

export interface EventSubject {
  readonly kind?: string | undefined;
  readonly cellType?: string | undefined;
  readonly experiment?: string | undefined;
  readonly plate?: string | undefined;
}

export interface Names {
  readonly queue: string;
  readonly deadLetters: string;
  readonly events: string;
  readonly records: string;
  readonly nodes: string;
  readonly workers: string;
  experiment(cellType: string, id: string): string;
  experimentsOf(cellType: string): string;
  consumer(cellType: string): string;
  deadLetter(cellType: string, id: string): string;
  /** `kind` and what it is about, from the general to the particular. */
  event(kind: string, ...about: readonly string[]): string;
  /** The events that fit; what is left out may be anything. Only calls have a plate. */
  eventsOf(about: EventSubject): string;
  /** Everything below a stream. */
  all(stream: "experiments" | "dead-letters" | "events"): string;
}

export const namesIn = (namespace: string): Names => ({
  queue: `${namespace}-experiments`,
  deadLetters: `${namespace}-dead-letters`,
  events: `${namespace}-events`,
  records: `${namespace}-records`,
  nodes: `${namespace}-nodes`,
  workers: `${namespace}-workers`,
  experiment: (cellType, id) => `${namespace}.experiments.${token(cellType)}.${token(id)}`,
  experimentsOf: (cellType) => `${namespace}.experiments.${token(cellType)}.*`,
  consumer: (cellType) => `cell-${token(cellType)}`,
  deadLetter: (cellType, id) => `${namespace}.dead-letters.${token(cellType)}.${token(id)}`,
  event: (kind, ...about) => [namespace, "events", kind, ...about.map(token)].join("."),
  eventsOf: ({ kind, cellType, experiment, plate }) => {
    const some = (text: string | undefined) => (text === undefined ? "*" : token(text));
    const about = [plate === undefined ? some(kind) : "call", some(cellType), some(experiment)];
    return [namespace, "events", ...about, ...(plate === undefined ? [">"] : [token(plate), "*"])].join(".");
  },
  all: (stream) => `${namespace}.${stream}.>`,
});
