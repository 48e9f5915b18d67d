/** What one epoch of a training measured: a line of metrics.jsonl, a point of curves.svg. */
export interface EpochRecord {
  /** Position of the stage in the recipe. */
  readonly stage: number;
  readonly name: string;
  /** Within the stage, from 0. */
  readonly epoch: number;
  readonly loss: number;
  readonly rate: number;
  readonly imagesPerSecond: number;
  readonly skippedSteps: number;
  /** Part of the held-out wells called right; absent in epochs without validation. */
  readonly running?: number;
  readonly calibrated?: number;
  /** Of the held-out wells, in nats. */
  readonly surprise?: number;
}
