/** Sites, images and experiments made by hand: say what matters to a test, the rest is filled in. */
import type { Experiment, Site } from "../screen/experiment.ts";
import type { SiteImage } from "../screen/site-image.ts";

/** Site 1 of well B02 on plate 1 of experiment HUVEC-01, a treatment well without files. */
export const testSite = (given: Partial<Site> = {}): Site => ({
  experiment: "HUVEC-01",
  cellType: "HUVEC",
  plate: "1",
  well: "B02",
  site: 1,
  wellType: "treatment",
  images: [],
  metadata: {},
  ...given,
});

/** The experiment that these sites make. */
export const testExperiment = (sites: readonly Site[]): Experiment => {
  const { experiment: id, cellType } = sites[0] ?? testSite();
  return { id, cellType, plates: [...new Set(sites.map(({ plate }) => plate))], sites };
};

/** One channel of 8x8 black pixels of `testSite()`; pixels without a shape are one square channel. */
export const testImage = (given: Partial<SiteImage> = {}): SiteImage => {
  const { site = testSite(), pixels = new Uint8Array(64), channels = 1 } = given;
  const side = Math.sqrt(pixels.length / channels);
  const lease = { bytes: pixels.byteLength, retain: () => undefined, release: () => undefined };
  return { site, pixels, channels, height: side, width: side, lease, ...given };
};
