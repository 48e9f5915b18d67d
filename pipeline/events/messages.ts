/** Messages of proto/results.proto as proto-loader gives them, and how they become events and back. */
import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { PlatestreamError } from "../../common/errors.ts";
import { loadProto } from "../../common/grpc/load-proto.ts";
import { type BusEvent, type CallEvent, type EventFilter, kinds, type Numbered, type StateEvent } from "./event.ts";

export interface SubscribeRequest {
  readonly experiments?: readonly string[];
  readonly cell_types?: readonly string[];
  readonly plates?: readonly string[];
  readonly kinds?: readonly string[];
  readonly now?: object;
  readonly start?: object;
  readonly after?: number;
  readonly stored_only?: boolean;
}

type CallMessage = Omit<CallEvent, "kind" | "experiment" | "cellType" | "node" | "at">;

interface StateMessage {
  readonly state: StateEvent["state"];
  readonly attempt: number;
  readonly reason: string;
  readonly calls: number;
  readonly seconds: number;
}

export interface ResultEvent {
  readonly seq: number;
  readonly experiment: string;
  readonly cell_type: string;
  readonly node: string;
  readonly at: string;
  readonly call?: CallMessage | null;
  readonly state?: StateMessage | null;
}

export const service = "platestream.v1.Results";
/** Response header: the sequence number after which the stream begins. */
export const afterHeader = "platestream-after";

export const loadResults = () => {
  const definition = loadProto("results.proto");
  const { platestream } = loadPackageDefinition(definition) as unknown as {
    platestream: { v1: { Results: ServiceClientConstructor } };
  };
  const { Results: Client } = platestream.v1;
  return { definition, Client, service: Client.service as ServiceDefinition };
};

export const filterOf = ({ experiments, cell_types, plates, kinds: wanted = [] }: SubscribeRequest): EventFilter => {
  const unknown = wanted.filter((kind) => !kinds.some((known) => known === kind));
  if (unknown.length > 0)
    throw new PlatestreamError(
      "invalid-request",
      `kinds of events are ${kinds.join(" and ")}, not "${unknown.join('", "')}"`,
    );
  return {
    kinds: wanted as EventFilter["kinds"] & object,
    experiments: experiments ?? [],
    cellTypes: cell_types ?? [],
    plates: plates ?? [],
  };
};

export const toMessage = ({ seq, value }: Numbered): ResultEvent => {
  const { experiment, cellType: cell_type, node, at } = value;
  const about = { seq, experiment, cell_type, node, at };
  if (value.kind === "call") return { ...about, call: value };
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

export const fromMessage = (message: ResultEvent): Numbered => {
  const { seq, experiment, cell_type: cellType, node, at, call, state } = message;
  const about = { experiment, cellType, node, at };
  return { seq, value: call ? { kind: "call", ...about, ...call } : stateEvent({ kind: "state", ...about }, state!) };
};

const stateEvent = (
  about: Pick<StateEvent, "kind" | "experiment" | "cellType" | "node" | "at">,
  message: StateMessage,
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
  }
};
