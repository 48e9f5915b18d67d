/** Bundles made from the networks with reference numbers. */
import type { TestContext } from "node:test";
import { type NewManifest, writeBundle } from "../../gpu-worker/bundle/bundle.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { type ParityCase, parityCase } from "./parity-case.ts";

export const tiny = parityCase("tiny");

export const tinyManifest = (network: ParityCase, cellTypes: readonly string[], name: string): NewManifest => ({
  name,
  architecture: network.architecture,
  variant: "custom",
  classes: Array.from({ length: network.architecture.classes }, (_, index) => `sirna-${index}`),
  controls: [network.architecture.classes - 1],
  plateGroups: [
    [0, 1],
    [2, 3],
  ],
  channelNames: [],
  input: { scale: 1 / 255, offset: 0 },
  cellTypes: Object.fromEntries(cellTypes.map((cellType) => [cellType, { trained: true }])),
});

/** A folder with a bundle that holds the same network for every cell type. */
export const writeTinyBundle = async (
  t: TestContext,
  { network = tiny, cellTypes = ["HUVEC"], name = "tiny" } = {},
): Promise<string> => {
  const folder = await temporaryFolder(t);
  await writeBundle(
    folder,
    tinyManifest(network, cellTypes, name),
    new Map(cellTypes.map((each) => [each, network.weights])),
  );
  return folder;
};

/** Images `from` to `to` of the reference, as bytes. */
export const pixelsOf = (network: ParityCase, from: number, to: number): Uint8Array => {
  const { channels, height, width } = network.architecture;
  const image = channels * height * width;
  return (network.tensors.get("pixels")!.data as Uint8Array).slice(from * image, to * image);
};
