/** Stacks that some programs hang onto a single page: TIFF knows of one image there, and the others would be lost. */
import { unreadable } from "../../unreadable.ts";
import type { Directory } from "./directory.ts";

/** MetaMorph's list of planes. */
const metaMorphPlanes = 33629;

/** @throws PlatestreamError `unreadable-image` where a page holds more planes than TIFF tells of */
export const refuseHiddenStack = (pages: readonly Directory[], description: string): void => {
  const planes = pages[0]!.count(metaMorphPlanes);
  if (planes > 1)
    throw unreadable(`MetaMorph's stack of ${planes} planes in one page (STK) is not read; save one page per plane`);
  const images = imagesOfShape(description);
  if (images > pages.length)
    throw unreadable(
      `a stack of ${images} images of which only ${pages.length} are listed is not read; save it as OME-TIFF`,
    );
};

/** Python's tifffile writes the shape of all that it wrote, as `{"shape": [3, 512, 512], "truncated": true}`. */
const imagesOfShape = (description: string): number => {
  if (!description.startsWith("{") || !description.includes('"truncated"')) return 1;
  try {
    const { shape, truncated } = JSON.parse(description) as { readonly shape: readonly number[]; truncated: unknown };
    return truncated === true ? shape.slice(0, -2).reduce((product, size) => product * size, 1) : 1;
  } catch {
    return 1;
  }
};
