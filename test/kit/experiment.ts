/** Small experiments on disk: every image is one grey level, the number of its well's class. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Experiment, Site } from "../../screen/experiment.ts";
import { imageAt, locationsOf } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";

/** A folder that is removed when the test ends. */
export const temporaryFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "platestream-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** The file of one of a site's channels. */
export const fileOf = ({ images }: Site, channel = 0): string => locationsOf(images[channel]!)[0]!;

export interface Layout {
  readonly id?: string;
  readonly plates?: number;
  readonly wells?: number;
  readonly sites?: number;
  readonly channels?: number;
  readonly size?: number;
}

/** Writes an experiment whose well w of plate p shows class p * wells + w, and returns it. */
export const writeExperiment = async (folder: string, layout: Layout = {}): Promise<Experiment> => {
  const { id = "HUVEC-01", plates = 2, wells = 3, sites = 2, channels = 2, size = 8 } = layout;
  const all: Site[] = [];
  for (let p = 0; p < plates; p++) {
    for (let w = 0; w < wells; w++) {
      const level = p * wells + w;
      const well = `${String.fromCharCode(66 + Math.floor(w / 22))}${String(2 + (w % 22)).padStart(2, "0")}`;
      for (let s = 1; s <= sites; s++) {
        const images = Array.from({ length: channels }, (_, c) =>
          imageAt(join(folder, id, `Plate${p + 1}`, `${well}_s${s}_w${c + 1}.png`)),
        );
        all.push({
          experiment: id,
          cellType: "HUVEC",
          plate: String(p + 1),
          well,
          site: s,
          wellType: "treatment",
          treatment: String(level),
          images,
          metadata: {},
        });
        await mkdir(join(folder, id, `Plate${p + 1}`), { recursive: true });
        for (const { location } of images) {
          await writeGreyImage(location, new Uint8Array(size * size).fill(level), size, size);
        }
      }
    }
  }
  return { id, cellType: "HUVEC", plates: Array.from({ length: plates }, (_, p) => String(p + 1)), sites: all };
};
