/** Whether the statistics of a batch are any. */
import type { Images } from "../../common/inference.ts";
import { unfitting } from "../../common/network-inputs.ts";
import { lastMaps } from "../network/architecture.ts";
import type { Served } from "./served.ts";

/** Throws "invalid-request" where a layer would normalise single values, which leaves nothing of them. */
export const validateSpread = ({ model, network }: Served, { shape: [images, , height, width] }: Images): void => {
  const { architecture } = network;
  if (images * lastMaps(height, architecture) * lastMaps(width, architecture) > 1) return;
  throw unfitting(model, [
    `the last feature maps of a ${height}x${width} image are single values, and statistics of one value are none: ` +
      "send at least 2 images, or use calibrated or running statistics",
  ]);
};
