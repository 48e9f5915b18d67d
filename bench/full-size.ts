/** The network of the Kaggle solution: DenseNet-121 for 1139 classes at 6x512x512. */
import { type Architecture, variants } from "../gpu-worker/network/architecture.ts";

export const fullSize: Architecture = {
  ...variants.densenet121,
  blocks: [...variants.densenet121.blocks],
  channels: 6,
  height: 512,
  width: 512,
  classes: 1139,
  plates: 0,
};
