/**
 * Loss scaling for half precision (Micikevicius et al. 2018): gradients too small for a half are lifted by a factor that
 * is found by trying. A step whose gradients overflow is skipped and the factor halved; after enough good steps in a
 * row it is doubled again.
 */
export interface LossScale {
  readonly scale: number;
  /** Good steps since the scale last changed. */
  readonly goodSteps: number;
}

/** Good steps before the scale is tried at twice its size. */
export const growthInterval = 2000;
const largest = 2 ** 24;

export const freshLossScale = (precision: "float32" | "float16"): LossScale => ({
  scale: precision === "float16" ? 2 ** 16 : 1,
  goodSteps: 0,
});

export const nextLossScale = (
  { scale, goodSteps }: LossScale,
  precision: "float32" | "float16",
  finite: boolean,
): LossScale => {
  if (precision === "float32") return { scale, goodSteps: goodSteps + 1 };
  if (!finite) return { scale: Math.max(scale / 2, 1), goodSteps: 0 };
  return goodSteps + 1 < growthInterval
    ? { scale, goodSteps: goodSteps + 1 }
    : { scale: Math.min(scale * 2, largest), goodSteps: 0 };
};
