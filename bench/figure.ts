/** One measured figure, beside what it was measured against in the same run. */
export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** The same quantity of the reference, in the same unit. */
  readonly reference: number;
  readonly ratio: number;
}

export interface Bench {
  readonly name: string;
  /** What is measured against what, and the least ratio that is aimed at. */
  readonly description: string;
  run(report: (figure: Figure) => void, log: (line: string) => void): Promise<void>;
}
