/** All targets; a new parser or door is a target in the file of its kind. */
import type { Target } from "./target.ts";
import { addresses } from "./targets/addresses.ts";
import { configuration } from "./targets/configuration.ts";
import { images } from "./targets/images.ts";
import { messages } from "./targets/messages.ts";
import { results } from "./targets/results.ts";
import { tables } from "./targets/tables.ts";
import { weights } from "./targets/weights.ts";

export const targets: readonly Target[] = [
  ...weights,
  ...tables,
  ...images,
  ...configuration,
  ...addresses,
  ...messages,
  ...results,
];
