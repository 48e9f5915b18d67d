/** A map that holds so many values at most: the one that was used longest ago goes first. */
export class Bounded<T> {
  readonly #most: number;
  readonly #values = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** Returns the values that had to go. */
  set(key: string, value: T): T[] {
    this.#values.delete(key);
    this.#values.set(key, value);
    const gone: T[] = [];
    for (const [old, dropped] of this.#values) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(old);
      gone.push(dropped);
    }
    return gone;
  }

  /** Returns the values that it held. */
  clear(): T[] {
    const gone = [...this.#values.values()];
    this.#values.clear();
    return gone;
  }
}
