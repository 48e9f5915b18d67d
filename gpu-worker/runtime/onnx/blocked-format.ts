/**
 * ONNX Runtime's blocked memory format: feature maps as [N, C/b, H, W, b], filters as [O/b, I/b, kH, kW, b, b].
 *
 * Channels come in groups padded to a multiple of b. `Slots` say for every padded channel which channel of
 * the network it is; -1: padding, which holds zeros.
 */
export type Slots = Int32Array;

/** One group of channels. */
export const slotsOf = (channels: number, block: number): Slots =>
  Int32Array.from({ length: Math.ceil(channels / block) * block }, (_, slot) => (slot < channels ? slot : -1));

export const channelsIn = (slots: Slots): number => slots.reduce((most, slot) => Math.max(most, slot + 1), 0);

/** Groups side by side, numbered through. */
export const joinSlots = (groups: readonly Slots[]): Slots => {
  let first = 0;
  return Int32Array.from(
    groups.flatMap((slots) => {
      const numbered = Array.from(slots, (slot) => (slot < 0 ? -1 : slot + first));
      first += channelsIn(slots);
      return numbered;
    }),
  );
};

/** One value per channel -> one per slot. */
export const spreadOver = (slots: Slots, values: Float32Array): Float32Array =>
  Float32Array.from(slots, (slot) => (slot < 0 ? 0 : values[slot]!));

/** Positions of the slots that are not padding, in the order of the channels. */
export const occupied = (slots: Slots): number[] => [...slots.keys()].filter((slot) => slots[slot]! >= 0);

/**
 * A filter [O, I, k, k] in the order that the kernels read: [O/b, I/b, k, k, b, b]; for row-major input, whose channels
 * are fewer than b, [O/b, I, k, k, b].
 */
export const blockFilter = (
  filter: Float32Array,
  kernel: number,
  outputs: Slots,
  inputs: Slots,
  block: number,
  input: "blocked" | "row-major",
): Float32Array => {
  const taps = kernel * kernel;
  const maps = channelsIn(inputs);
  const stride = maps * taps;
  const count = channelsIn(outputs);
  const group = input === "blocked" ? block : 1;
  const blocked = new Float32Array(outputs.length * inputs.length * taps);
  let at = 0;
  for (let o = 0; o < outputs.length; o += block) {
    const last = Math.min(o + block, count);
    for (let i = 0; i < inputs.length; i += group) {
      for (let tap = 0; tap < taps; tap++) {
        for (let slot = i; slot < i + group; slot++, at += block) {
          const channel = inputs[slot]!;
          if (channel < 0) continue;
          let from = o * stride + channel * taps + tap;
          for (let to = at; from < last * stride; from += stride) blocked[to++] = filter[from]!;
        }
      }
    }
  }
  return blocked;
};
