import type { PlaneAddress } from "../image-source.ts";
import { unreadable } from "../unreadable.ts";

/** Which of a pixel's numbers the address means; a file with several must be distinguished by the dataset. */
export const bandOf = (samples: number, kind: string, { band }: PlaneAddress): number => {
  if (band === undefined && samples > 1)
    throw unreadable(
      `the file has ${samples} numbers per pixel (${kind}), and the dataset does not say which is this channel; ` +
        "save one grey image per channel",
    );
  if ((band ?? 0) < samples) return band ?? 0;
  throw unreadable(`value ${(band ?? 0) + 1} of every pixel is needed, the file has ${samples} per pixel`);
};
