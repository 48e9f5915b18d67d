/** Linear assignment: the only file that imports the solver (Jonker-Volgenant, Crouse 2016). */
import { linearSumAssignment } from "linear-sum-assignment";

/**
 * Evidence of one well for one class. Sigmoid outputs are independent, so the assignment with the largest sum of
 * logits is the most likely one; the bounds keep outputs of exactly 0 and 1 finite.
 */
export const evidence = (probability: number): number => {
  const bounded = Math.min(1 - 1e-7, Math.max(1e-7, probability));
  return Math.log(bounded / (1 - bounded));
};

/**
 * Gives every row a column such that the sum of `scores[row][column]` is largest and no column is given twice. Where
 * there are more rows than columns, columns are given again once all are taken: the rows left over are assigned among
 * themselves, so no column is given more often than it has to be.
 */
export const assignOnce = (scores: readonly ArrayLike<number>[]): number[] => {
  const given = new Array<number>(scores.length).fill(-1);
  let open = scores.map((_, row) => row);
  while (open.length > 0) {
    const { rowAssignments } = linearSumAssignment(
      open.map((row) => Float64Array.from(scores[row]!)),
      { maximaze: true },
    );
    for (const [index, row] of open.entries()) given[row] = rowAssignments[index]!;
    open = open.filter((row) => given[row]! < 0);
  }
  return given;
};
