/** Names of channels, and which channel of an experiment is which channel of a network. */
import { PlatestreamError } from "../common/errors.ts";
import type { Channels, Experiment } from "./experiment.ts";

/** `OrigDNA`, `dna` and `DNA` are one channel. */
export const sameChannel = (a: string, b: string): boolean => plain(a) === plain(b);

const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/^orig(?=.)/, "")
    .replaceAll(/[^\p{L}\p{N}]/gu, "");

/** What is known of a network's channels; one without their names has none. */
export interface NetworkChannels {
  readonly name: string;
  readonly channels: number;
  readonly channelNames: readonly string[];
}

/**
 * Per channel of the network, its position among those of the experiment: by name where both have names. Channels that
 * the network does not read are left out. Without names, or where the user named the channels one by one, they are taken as
 * they stand.
 *
 * @throws PlatestreamError `invalid-data` where it is not clear which is which
 */
export const channelOrder = (
  { names, chosen }: Channels,
  { name, channels, channelNames }: NetworkChannels,
  where: string,
): readonly number[] => {
  const byName = channelNames.map((wanted) => names.findIndex((given) => sameChannel(given, wanted)));
  if (channelNames.length > 0 && !byName.includes(-1)) return byName;
  if (names.length === channels && (chosen || channelNames.length === 0)) return names.map((_, index) => index);
  const reads = channelNames.length > 0 ? `the channels ${channelNames.join(", ")}` : `${channels} channels`;
  throw new PlatestreamError(
    "invalid-data",
    `${where} has the channels ${names.join(", ")}, and ${name} reads ${reads}; ` +
      "say with --channels which of them it is to read, in the order of the network",
  );
};

/** The experiment with its images in the order of the network. One whose channels have no names stays as it is. */
export const inNetworkOrder = (experiment: Experiment, network: NetworkChannels): Experiment => {
  const { channels, sites, id } = experiment;
  if (channels === undefined) return experiment;
  const order = channelOrder(channels, network, id);
  if (order.length === channels.names.length && order.every((from, to) => from === to)) return experiment;
  return {
    ...experiment,
    channels: { ...channels, names: order.map((from) => channels.names[from]!) },
    sites: sites.map((site) => ({ ...site, images: order.map((from) => site.images[from]!) })),
  };
};
