import { PlatestreamError } from "../common/errors.ts";

/** An image that is not read, in words that say what is wrong and the way out; who knows the file's name adds it. */
export const unreadable = (words: string, cause?: unknown): PlatestreamError =>
  new PlatestreamError("unreadable-image", words, { cause });
