/** Parameters of requests and tensors. */
import { PlatestreamError } from "../../../common/errors.ts";
import type { InferParameter__Output } from "../../../proto/types/inference/InferParameter.ts";

export const invalid = (why: string): PlatestreamError => new PlatestreamError("invalid-request", why);

export type Parameters = Readonly<Record<string, InferParameter__Output>>;

/** Undefined: it was not sent. */
export const parameter = (parameters: Parameters, name: string): string | number | boolean | undefined => {
  const sent = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return sent?.parameter_choice === undefined ? undefined : sent[sent.parameter_choice];
};

export const wholeParameter = (parameters: Parameters, name: string): number | undefined => {
  const value = parameter(parameters, name);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`the parameter "${name}" is a whole number, 0 or more, not ${JSON.stringify(value)}`);
};
