/** A worker's requests as log lines, each with what the client says that it is about. */

import type { ErrorCode } from "../../common/errors.ts";
import type { Log } from "../../common/observe/log.ts";
import type { FinishedRequest } from "./requests.ts";

/** Nothing is wrong: the client gave up, or sends the request again with the bytes that it named. */
const expected: readonly ErrorCode[] = ["cancelled", "unknown-statistics", "unknown-images"];

export const logRequest = (log: Log, request: FinishedRequest): void => {
  const { method, model, about, from, images, milliseconds, error } = request;
  const fields = {
    ...about,
    method,
    from,
    ...(model.name === "" ? {} : { model: model.name, cellType: model.cellType }),
    images,
    ms: Math.round(milliseconds),
  };
  if (error === undefined) log.debug("request answered", fields);
  else {
    const level = expected.includes(error.code) ? "debug" : "warn";
    log[level]("request failed", { ...fields, code: error.code, reason: error.rawMessage });
  }
};
