/** Which channels of a dataset are read: all, or those that the user chose. */
import { PlatestreamError } from "../common/errors.ts";
import { sameChannel } from "../screen/channels.ts";
import type { Opening } from "./opening.ts";

export interface ChosenChannel {
  readonly name: string;
  /** Position among all channels of the dataset. */
  readonly index: number;
}

/**
 * All channels of the dataset, or those of `--channels` in the order given there.
 *
 * @throws PlatestreamError `invalid-config` where one is unknown
 */
export const chooseChannels = (names: readonly string[], { channels, took }: Opening): readonly ChosenChannel[] => {
  const chosen =
    channels?.map((wanted) => {
      const exact = names.indexOf(wanted);
      const index = exact >= 0 ? exact : names.findIndex((name) => sameChannel(name, wanted));
      if (index < 0) {
        throw new PlatestreamError(
          "invalid-config",
          `--channels names ${wanted}, which the dataset does not have; it has ${names.join(", ")}`,
        );
      }
      return { name: names[index]!, index };
    }) ?? names.map((name, index) => ({ name, index }));
  const left = names.filter((name) => !chosen.some((each) => each.name === name));
  took(
    "channels",
    `${chosen.map(({ name }) => name).join(", ")}${left.length === 0 ? "" : ` (left out: ${left.join(", ")})`}`,
  );
  return chosen;
};
