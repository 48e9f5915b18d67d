/** Checked by the compiler, not run: what a stage author's editor must accept, and what it must refuse. */
import { defineStage, type SiteImage, z } from "platestream/plugin";
import { filter, map } from "rxjs";

const config = z.strictObject({ threshold: z.number().default(1) });
const about = { description: "", config } as const;

defineStage({
  ...about,
  name: "options and items are inferred",
  input: "site-image",
  output: "site-image",
  apply: ({ threshold }, { experiment }) => filter((image) => image.pixels.length > threshold && experiment.id !== ""),
});

defineStage({
  ...about,
  name: "what it gives is not what its port says",
  input: "site",
  output: "site-image",
  // @ts-expect-error a site is not a site-image
  apply: () => filter((site) => site.well === "B02"),
});

defineStage({
  ...about,
  name: "it takes an item of another port",
  input: "site",
  output: "site",
  // @ts-expect-error the port gives sites, which have no pixels yet
  apply: () => map((image: SiteImage) => image.site),
});

defineStage({
  ...about,
  name: "there is no such port",
  // @ts-expect-error ports are a closed set
  input: "picture",
  output: "site",
  apply: () => {
    throw new Error("never called");
  },
});

defineStage({
  ...about,
  name: "there is no such option",
  input: "site",
  output: "site",
  // @ts-expect-error the schema has no `treshold`
  apply: ({ treshold }) => filter((site) => site.site > treshold),
});
