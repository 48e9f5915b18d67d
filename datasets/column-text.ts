/** The texts of one column, held compactly: tables with hundreds of thousands of rows are common. */
import { PlatestreamError } from "../common/errors.ts";

/** A column with more different texts than this, and in more than half of its rows, is kept as bytes. */
const mostDistinct = 1_000;

/** What the ends of texts can be numbered up to. */
const mostBytes = 2 ** 32 - 1;

export class ColumnText {
  /** Different texts in the order in which they came, as long as there are few. */
  #texts: string[] = [];
  #ids: Map<string, number> | undefined = new Map();
  /** Per row: which text; once kept as bytes, where its bytes end. */
  #index = new Uint32Array(1024);
  #bytes = Buffer.alloc(0);
  #rows = 0;

  add(text: string): void {
    if (this.#rows === this.#index.length) this.#index = grown(this.#index, new Uint32Array(2 * this.#rows));
    if (this.#ids === undefined) {
      this.#index[this.#rows] = this.#append(text, this.#rows === 0 ? 0 : this.#index[this.#rows - 1]!);
    } else {
      this.#index[this.#rows] = this.#idOf(text, this.#ids);
      if (this.#texts.length > mostDistinct && 2 * this.#texts.length > this.#rows) {
        this.#keepBytes(this.#rows + 1);
      }
    }
    this.#rows += 1;
  }

  get(row: number): string {
    if (this.#ids !== undefined) return this.#texts[this.#index[row]!]!;
    return this.#bytes.toString("utf8", row === 0 ? 0 : this.#index[row - 1]!, this.#index[row]!);
  }

  /** The different texts, where there are few. */
  get distinct(): readonly string[] | undefined {
    return this.#ids === undefined ? undefined : this.#texts;
  }

  #idOf(text: string, ids: Map<string, number>): number {
    // Neighbours are often equal, and comparing costs less than hashing.
    if (this.#rows > 0) {
      const last = this.#index[this.#rows - 1]!;
      if (this.#texts[last] === text) return last;
    }
    const known = ids.get(text);
    if (known !== undefined) return known;
    const copy = Buffer.from(text).toString(); // a piece of a string keeps all of it in memory
    ids.set(copy, this.#texts.length);
    return this.#texts.push(copy) - 1;
  }

  #append(text: string, at: number): number {
    const most = at + 3 * text.length;
    if (most > mostBytes)
      throw new PlatestreamError("invalid-data", "a column of a table holds more than 4 GB of text");
    if (most > this.#bytes.length) this.#bytes = grown(this.#bytes, Buffer.alloc(Math.max(most, 1.5 * at, 1 << 16)));
    return at + this.#bytes.write(text, at);
  }

  #keepBytes(rows: number): void {
    let at = 0;
    for (let row = 0; row < rows; row++) {
      at = this.#append(this.#texts[this.#index[row]!]!, at);
      this.#index[row] = at;
    }
    this.#ids = undefined;
    this.#texts = [];
  }
}

const grown = <T extends Uint32Array | Buffer>(from: T, to: T): T => {
  to.set(from);
  return to;
};
