/** What was opened, to be closed in the opposite order: the last first. */
export interface Closing {
  add(close: () => unknown): void;
  /** Closes everything, even where some of it fails; then throws the first error. */
  close(): Promise<void>;
}

export const closing = (): Closing => {
  const opened: (() => unknown)[] = [];
  return {
    add: (close) => void opened.push(close),
    async close() {
      const errors: unknown[] = [];
      for (let close = opened.pop(); close !== undefined; close = opened.pop()) {
        try {
          await close();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    },
  };
};
