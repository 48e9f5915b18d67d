/** The most probable classes of an image. */

export interface Ranked {
  readonly index: number;
  readonly value: number;
}

/** The `count` largest values, largest first; of equal ones the first. Sorts no more than those. */
export const topClasses = (values: Float32Array, count: number): Ranked[] => {
  const top: Ranked[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (top.length >= count && !(value > top[top.length - 1]!.value)) continue;
    let place = top.length;
    while (place > 0 && top[place - 1]!.value < value) place -= 1;
    top.splice(place, 0, { index, value });
    if (top.length > count) top.pop();
  }
  return top;
};
