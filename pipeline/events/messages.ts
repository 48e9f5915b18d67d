/** Between the messages of `results.proto` and events. */
import { PlatestreamError } from "../../common/errors.ts";
import type { ResultEvent, ResultEvent__Output } from "../../proto/types/platestream/v1/ResultEvent.ts";
import type { State__Output } from "../../proto/types/platestream/v1/State.ts";
import type { SubscribeRequest__Output } from "../../proto/types/platestream/v1/SubscribeRequest.ts";
import { type BusEvent, type EventFilter, kinds, type Numbered, type StateEvent } from "./event.ts";

/** Response header: the sequence number after which the stream begins. */
export const afterHeader = "platestream-after";

export const filterOf = (request: SubscribeRequest__Output): EventFilter => {
  const { experiments, cell_types, plates, kinds: wanted } = request;
  const { after = 0 } = request;
  if (!Number.isSafeInteger(after)) {
    throw new PlatestreamError("invalid-request", `\`after\` is a sequence number, less than 2^53, not ${after}`);
  }
  const unknown = wanted.filter((kind) => !kinds.some((known) => known === kind));
  if (unknown.length > 0)
    throw new PlatestreamError(
      "invalid-request",
      `kinds of events are ${kinds.join(" and ")}, not "${unknown.join('", "')}"`,
    );
  return {
    kinds: wanted as EventFilter["kinds"] & object,
    experiments,
    cellTypes: cell_types,
    plates,
  };
};

export const toMessage = ({ seq, value }: Numbered): ResultEvent => {
  const { experiment, cellType: cell_type, node, at } = value;
  const about = { seq, experiment, cell_type, node, at };
  if (value.kind === "call")
    return { ...about, call: { ...value, alternatives: [...value.alternatives], flags: [...value.flags] } };
  return {
    ...about,
    state: {
      state: value.state,
      attempt: "attempts" in value ? value.attempts : "attempt" in value ? value.attempt : 0,
      reason: "reason" in value ? value.reason : "",
      calls: "calls" in value ? value.calls : 0,
      seconds: "seconds" in value ? value.seconds : 0,
    },
  };
};

export const fromMessage = (message: ResultEvent__Output): Numbered => {
  const { seq, experiment, cell_type: cellType, node, at, call, state } = message;
  const about = { experiment, cellType, node, at };
  if (!call) return { seq, value: stateEvent({ kind: "state", ...about }, state!) };
  const { _confidence, confidence, ...rest } = call;
  return {
    seq,
    value: { kind: "call", ...about, ...rest, ...(_confidence === undefined ? {} : { confidence: confidence! }) },
  };
};

const stateEvent = (
  about: Pick<StateEvent, "kind" | "experiment" | "cellType" | "node" | "at">,
  message: State__Output,
): BusEvent => {
  const { state, attempt, reason, calls, seconds } = message;
  switch (state) {
    case "queued":
      return { ...about, state };
    case "running":
      return { ...about, state, attempt };
    case "waiting":
      return { ...about, state, attempt, reason };
    case "failed":
      return { ...about, state, attempts: attempt, reason };
    case "done":
      return { ...about, state, attempts: attempt, calls, seconds };
    default:
      throw new PlatestreamError(
        "invalid-request",
        `the server sends the state "${state}", which is newer than this program`,
      );
  }
};
