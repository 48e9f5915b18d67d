/** Reads text files piece by piece: in whatever encoding and with whatever line endings they were written. */
import { type FileHandle, realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { PlatestreamError } from "../common/errors.ts";
import { openRegularFile, reasonOf } from "../common/read-file.ts";

const pieceBytes = 1 << 20;

export interface ReadTextOptions {
  /** Found out from the bytes when absent. */
  readonly encoding?: string | undefined;
  readonly within?: readonly string[] | undefined;
}

/**
 * Links are followed first, so that none leads out of the folders. What is not there is judged by its name.
 *
 * @throws PlatestreamError `invalid-data`
 */
export const requireWithin = async (path: string, folders: readonly string[]): Promise<string> => {
  const real = await realpath(path).catch(() => resolve(path));
  if (folders.some((folder) => real === folder || real.startsWith(folder.endsWith(sep) ? folder : folder + sep)))
    return real;
  throw new PlatestreamError(
    "invalid-data",
    `a node reads under its data roots only (${folders.join(", ")}), and the job names ${path}; start the node with another --data-root`,
  );
};

export interface Text<T> {
  readonly value: T;
  /** Name of the encoding, by the Encoding Standard. */
  readonly encoding: string;
  /** Nothing in the file says that it is this encoding. */
  readonly guessed: boolean;
}

/**
 * Passes the text on in pieces, every line ending as "\n" and without a byte order mark. Bytes that are not UTF-8 in a
 * file without a mark are taken for windows-1252 (Latin-1 and its additions): `consume` is then called a second time.
 *
 * @throws PlatestreamError `invalid-data`: no regular file, no text, or not in the encoding that was asked for
 */
export const readText = async <T>(
  path: string,
  { encoding, within }: ReadTextOptions,
  consume: (pieces: AsyncIterable<string>) => Promise<T>,
): Promise<Text<T>> => {
  if (within !== undefined) await requireWithin(path, within);
  const handle = await openRegularFile(path);
  const as = async (name: string, guessed: boolean): Promise<Text<T>> => {
    return { value: await consume(decode(handle, path, name)), encoding: name, guessed };
  };
  try {
    const known = encoding ?? (await encodingOf(handle, path));
    if (known !== undefined) return await as(known, false);
    return await as("utf-8", false).catch((thrown) => {
      if (thrown instanceof NotInEncoding) return as("windows-1252", true);
      throw thrown;
    });
  } finally {
    await handle.close();
  }
};

class NotInEncoding extends PlatestreamError {}

/** From a byte order mark, or from the zeros between the letters of UTF-16; undefined where neither is there. */
const encodingOf = async (handle: FileHandle, path: string): Promise<string | undefined> => {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
  const bytes = buffer.subarray(0, bytesRead);
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  const zeros = [0, 0];
  for (const [at, byte] of bytes.entries()) if (byte === 0) zeros[at % 2]! += 1;
  if (zeros[0] === 0 && zeros[1] === 0) return undefined;
  if (zeros[0]! > bytesRead / 4 && zeros[1]! === 0) return "utf-16be";
  if (zeros[1]! > bytesRead / 4 && zeros[0]! === 0) return "utf-16le";
  throw new PlatestreamError("invalid-data", `${path} is not text: it holds zero bytes`);
};

const decoderFor = (path: string, encoding: string): InstanceType<typeof TextDecoder> => {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch {
    throw new PlatestreamError(
      "invalid-config",
      `${path}: "${encoding}" is not an encoding; known are utf-8, utf-16le, windows-1252, shift_jis, gb18030 and the others of https://encoding.spec.whatwg.org`,
    );
  }
};

async function* decode(handle: FileHandle, path: string, encoding: string): AsyncGenerator<string> {
  const decoder = decoderFor(path, encoding);
  const piece = Buffer.alloc(pieceBytes);
  let position = 0;
  let held = ""; // a carriage return at the end of a piece: a line feed may follow
  for (;;) {
    const { bytesRead } = await handle.read(piece, 0, pieceBytes, position).catch((cause) => {
      throw new PlatestreamError("invalid-data", `${path} cannot be read: ${reasonOf(cause)}`, { cause });
    });
    position += bytesRead;
    const text = held + decodePiece(decoder, path, piece.subarray(0, bytesRead));
    held = bytesRead > 0 && text.endsWith("\r") ? "\r" : "";
    const whole = held === "" ? text : text.slice(0, -1);
    if (whole !== "") yield whole.includes("\r") ? whole.replaceAll(/\r\n?/g, "\n") : whole;
    if (bytesRead === 0) return;
  }
}

const decodePiece = (decoder: InstanceType<typeof TextDecoder>, path: string, bytes: Uint8Array): string => {
  try {
    return decoder.decode(bytes, { stream: bytes.length > 0 });
  } catch (cause) {
    const message = `${path} is not in the encoding ${decoder.encoding}; say which it is with --encoding`;
    throw new NotInEncoding("invalid-data", message, { cause });
  }
};
