/** Runs in a thread of its own: what a dataset lists, as plain data. */
import { type ErrorCode, PlatestreamError } from "../../common/errors.ts";
import { type OpenOptions, openDataset } from "../../datasets/open.ts";
import type { OpenedTables } from "../parts/data-roots.ts";

export interface Task {
  readonly data: string;
  readonly options: OpenOptions;
}

export type Outcome = OpenedTables | { readonly code: ErrorCode; readonly message: string };

export default async ({ data, options }: Task): Promise<Outcome> => {
  try {
    const { root, experiments, tables } = await openDataset(data, options);
    return { root, experiments, tables };
  } catch (thrown) {
    const { code, rawMessage } = PlatestreamError.from(thrown);
    return { code, message: rawMessage };
  }
};
