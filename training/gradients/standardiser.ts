/** The statistics of maps, measured once for all BatchNorm layers that read them. */
import { joinSlots } from "../../gpu-worker/runtime/onnx/blocked-format.ts";
import type { Value } from "../../gpu-worker/runtime/onnx/graph.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { standardise } from "./derivatives.ts";
import { type Maps, type Standard, send, sendStandard, type Tape } from "./tape.ts";

/** Several maps as standardised maps; a prefix that was joined before is used again. */
export const standardiser = (a: Arithmetic, tape: Tape) => {
  const { graph } = a;
  const known = new Map<string, Standard>();

  const single = (maps: Maps): Standard => {
    const step = standardise(a, maps.value, maps);
    const { channels, height, width, slots, apart, learns } = maps;
    const standard: Standard = { channels, height, width, slots, apart, learns, values: step.output };
    tape.record(() => {
      if (standard.gradient && learns) send(graph, maps, step.inputGradient(standard.gradient));
    });
    return standard;
  };

  const joined = (left: Standard, right: Standard): Standard => {
    const join = (l: Value, r: Value, axis: number) => graph.node("Concat", [l, r], { axis });
    const mean = join(left.values.mean, right.values.mean, 0);
    const standard: Standard = {
      channels: left.channels + right.channels,
      height: left.height,
      width: left.width,
      slots: left.slots && right.slots && joinSlots([left.slots, right.slots]),
      learns: left.learns || right.learns,
      values: {
        maps: join(left.values.maps, right.values.maps, 1),
        shift: left.values.shift && mean,
        mean,
        variance: join(left.values.variance, right.values.variance, 0),
        inverse: join(left.values.inverse, right.values.inverse, 0),
      },
    };
    tape.record(() => {
      if (standard.gradient === undefined) return;
      const split = (value: Value, axis: number) =>
        graph.nodes("Split", [value, graph.ints(left.channels, right.channels)], { axis }, [
          graph.fresh("left"),
          graph.fresh("right"),
        ]);
      const [maps, deviation] = [split(standard.gradient.maps, 1), split(standard.gradient.deviation, 0)];
      [left, right].forEach((to, i) => {
        if (to.learns) sendStandard(graph, to, { maps: maps[i]!, deviation: deviation[i]! });
      });
    });
    return standard;
  };

  const of = (parts: readonly Maps[]): Standard => {
    const key = parts.map(({ value }) => value).join();
    const last = parts.at(-1)!;
    const standard = known.get(key) ?? (parts.length === 1 ? single(last) : joined(of(parts.slice(0, -1)), of([last])));
    known.set(key, standard);
    return standard;
  };
  return of;
};
