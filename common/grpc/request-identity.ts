/** What a request is about, sent beside it as metadata: with it, the log lines of node and worker can be put together. */

export interface RequestIdentity {
  readonly experiment?: string | undefined;
  /** Of the experiment; 1 for the first. */
  readonly attempt?: number | undefined;
  /** The plate that all images are of, where there is one. */
  readonly plate?: string | undefined;
  /** `ROUND.INDEX` within the experiment, or `calibration`. */
  readonly batch?: string | undefined;
}

/** Metadata key of a request. Its value is written like the query of a URL: `experiment=HUVEC-18&attempt=1&plate=3&batch=0.12`. */
export const identityKey = "platestream-request";

/** Names come from others; what is longer is cut off. */
const longest = 100;

export const writeIdentity = (identity: RequestIdentity): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(identity)) {
    if (value !== undefined) query.set(name, `${value}`.slice(0, longest));
  }
  return query.toString();
};

/** Reads what any client may have sent: other keys, repetitions and nonsense are left out. */
export const readIdentity = (sent: string): RequestIdentity => {
  const fields = new URLSearchParams(sent.slice(0, 4_000));
  const text = (name: string): string | undefined => fields.get(name)?.slice(0, longest);
  const attempt = Number(fields.get("attempt"));
  return {
    experiment: text("experiment"),
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : undefined,
    plate: text("plate"),
    batch: text("batch"),
  };
};
