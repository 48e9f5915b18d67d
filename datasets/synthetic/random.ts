/** Reproducible random numbers: every stream is a function of its name and nothing else. */
import { createHash } from "node:crypto";

export interface RandomStream {
  /** In [0, 1). */
  uniform(): number;
  /** In [low, high). */
  between(low: number, high: number): number;
  /** Mean 0, standard deviation 1. */
  normal(): number;
  normals(count: number): Float64Array;
  poisson(mean: number): number;
  /** The numbers 0 to count - 1 in random order. */
  permutation(count: number): number[];
}

/**
 * The stream of a name, such as `["7", "plate", "HUVEC-01", 2]`.
 *
 * sfc32 (Chris Doty-Humphrey's PractRand), its 128 bits of state taken from a hash of the name: streams of different
 * names are unrelated, which a generator with 32 bits of state could not promise for a million draws per image.
 */
export const randomStream = (...name: readonly (string | number)[]): RandomStream => {
  const digest = createHash("sha256").update(JSON.stringify(name)).digest();
  // An array holds 32-bit numbers as they are; variables of a closure would be boxed.
  const state = Int32Array.from({ length: 4 }, (_, index) => digest.readInt32LE(4 * index));
  const uniform = (): number => {
    const sum = (state[0]! + state[1]! + state[3]!) | 0;
    state[3] = state[3]! + 1;
    state[0] = state[1]! ^ (state[1]! >>> 9);
    state[1] = state[2]! + (state[2]! << 3);
    state[2] = ((state[2]! << 21) | (state[2]! >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };

  // Box-Muller makes two at a time.
  let spare = Number.NaN;
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };

  // Knuth's product of uniforms; a large mean is a sum of small ones, lest exp(-mean) vanish.
  const poisson = (mean: number): number => {
    if (mean > 30) return poisson(30) + poisson(mean - 30);
    const limit = Math.exp(-mean);
    let events = 0;
    for (let product = uniform(); product > limit; product *= uniform()) events += 1;
    return events;
  };

  const permutation = (count: number): number[] => {
    const order = Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = Math.floor(uniform() * (last + 1));
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    return order;
  };

  return {
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    normal,
    normals: (count) => Float64Array.from({ length: count }, normal),
    poisson,
    permutation,
  };
};
