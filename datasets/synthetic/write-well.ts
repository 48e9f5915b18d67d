/** What a thread of the generator does: renders one well and writes its files. */
import { join } from "node:path";
import { workerData } from "node:worker_threads";
import { writeGreyImage } from "../../screen/images.ts";
import type { SyntheticParameters } from "./parameters.ts";
import type { PlannedWell } from "./plan.ts";
import { renderWell } from "./render.ts";

export interface WellTask {
  readonly experiment: string;
  readonly plate: number;
  readonly well: PlannedWell;
}

export interface ThreadData {
  readonly parameters: SyntheticParameters;
  readonly root: string;
}

/** Where the layout puts the images of a plate. */
export const plateFolder = (root: string, experiment: string, plate: number): string =>
  join(root, "images", experiment, `Plate${plate}`);

export default async ({ experiment, plate, well }: WellTask): Promise<void> => {
  const { parameters, root } = workerData as ThreadData;
  const folder = plateFolder(root, experiment, plate);
  const { size } = parameters;
  const files = renderWell(parameters, experiment, plate, well).flatMap(({ site, channels }) =>
    channels.map((pixels, channel) => ({ name: `${well.well}_s${site}_w${channel + 1}.png`, pixels })),
  );
  await Promise.all(files.map(({ name, pixels }) => writeGreyImage(join(folder, name), pixels, size, size)));
};
