/** Numbers for Prometheus: the only file that knows prom-client. Nothing is registered but in the object that is opened. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

export type Labels<L extends string> = Readonly<Record<L, string>>;

/** Adds to the series with these labels; 1 where no amount is given. */
export type Add<L extends string> = (labels: Labels<L>, amount?: number) => void;

export interface Metrics {
  /** A number that only grows. */
  counter<L extends string>(name: string, help: string, labels: readonly L[]): Add<L>;
  /** A number that is read when somebody asks: `read` gives every series that there is at that moment. */
  gauge<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => Iterable<readonly [Labels<L>, number]> | Promise<Iterable<readonly [Labels<L>, number]>>,
  ): void;
  readonly contentType: string;
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>;
}

/** Memory, CPU time, event loop and collector of this process are in it from the start. */
export const openMetrics = (): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    counter(name, help, labels) {
      const counter = new Counter({ name, help, labelNames: labels, registers: [registry] });
      return (values, amount = 1) => counter.inc(values, amount);
    },
    gauge(name, help, labels, read) {
      new Gauge({
        name,
        help,
        labelNames: labels,
        registers: [registry],
        async collect() {
          const series = await read();
          this.reset();
          for (const [values, value] of series) this.set(values, value);
        },
      });
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
};
