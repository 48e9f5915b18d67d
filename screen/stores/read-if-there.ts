/** One small file as a whole, or nothing where there is none. */
import { PlatestreamError } from "../../common/errors.ts";
import { fetchIfThere, urlFile } from "./http.ts";
import { openLocalFile } from "./local-file.ts";
import { s3File } from "./s3.ts";

export const readIfThere = async (location: string): Promise<Uint8Array | undefined> => {
  const bytes = /^s3:/i.test(location)
    ? await fetchIfThere(s3File(location))
    : /^https?:/i.test(location)
      ? await fetchIfThere(urlFile(location))
      : await openLocalFile(location).catch(orNothing);
  if (bytes === undefined) return undefined;
  try {
    return await bytes.read(0, bytes.size);
  } finally {
    await bytes.close();
  }
};

const orNothing = (thrown: unknown): undefined => {
  const { code } = (PlatestreamError.from(thrown).cause ?? {}) as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw thrown;
};
