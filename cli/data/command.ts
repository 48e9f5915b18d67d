import { Command } from "commander";
import { layouts } from "../../datasets/layouts.ts";
import { withDatasetOptions } from "../parts/dataset-options.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { ExportOptions } from "./export.ts";
import type { InfoOptions } from "./info.ts";
import type { SynthOptions } from "./synth.ts";
import type { VerifyOptions } from "./verify.ts";

/** `pipeline data synth | verify | info | export` */
export const command = (): Command =>
  new Command("data")
    .description("make, check, describe and export datasets")
    .addCommand(synthCommand())
    .addCommand(verifyCommand())
    .addCommand(infoCommand())
    .addCommand(exportCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline data synth data/demo --experiments HUVEC-17,RPE-08
  pipeline data verify rxrx1
  pipeline data info plates/load_data.csv
  pipeline data export runs/today --ome-zarr pictures`,
    );

/** Option, its placeholder, the parameter it sets, and what it is; defaults stand with the parameters. */
const parameterOptions = [
  ["--size <pixels>", "width and height of the images (64)"],
  ["--scale <factor>", "size of the cells; at 1 they are about 17 pixels wide (1)"],
  ["--classes <n>", "treatments on a plate, up to 277 (24)"],
  ["--plates <n>", "plates of an experiment (4)"],
  ["--positive-controls <n>", "positive controls, each once on every plate (7)"],
  ["--negative-controls <n>", "untreated wells on every plate (1)"],
  ["--sites <n>", "images of a well (2)"],
  ["--missing-wells <rate>", "share of treatment wells that failed (0)"],
  ["--missing-sites <rate>", "share of images that are not there (0)"],
  ["--seed <n>", "another seed gives other phenotypes, groups and batch effects (1)"],
  ["--phenotype <sd>", "strength of the classes' effects (1.9)"],
  ["--experiment-optics <factor>", "strength of what staining and microscope of an experiment do (1.2)"],
  ["--plate-biology <sd>", "biological shift of a plate (0.12)"],
  ["--plate-gain <sd>", "log-gain of a plate's channels (0.1)"],
  ["--plate-offset <sd>", "background of a plate's channels (0.02)"],
  ["--plate-illumination <sd>", "tilt of a plate's illumination (0.08)"],
] as const;

const synthCommand = (): Command => {
  const command = new Command("synth")
    .description("write synthetic experiments in the public RxRx1 layout, on all cores")
    .argument("<dir>", "folder of the dataset; experiments that it holds already stay")
    .option("-e, --experiments <list>", "names and ranges, as in HUVEC-01..08,RPE-05 (instead of the next two)")
    .option("--cell-types <list>", "cell types", "HUVEC,RPE,HEPG2,U2OS")
    .option("--count <n>", "experiments of each cell type, numbered from 1", "1");
  for (const [flags, description] of parameterOptions) command.option(flags, description);
  return command
    .addHelpText(
      "after",
      `
An experiment is a function of its name and the other options, so a name that no network was trained on is a held-out
experiment. Labels reach the pixels through the shape and brightness of the cells only. Ctrl-C is safe: the same
command goes on where it was, and metadata.csv lists complete experiments only.

Examples:
  pipeline data synth data/demo --experiments HUVEC-17,RPE-08
  pipeline data synth data/train --cell-types HUVEC --count 12
  pipeline data synth data/full-size --experiments U2OS-01 --size 512 --scale 2.5 --classes 277 --positive-controls 30
  pipeline data synth data/untidy --experiments HUVEC-01..04 --missing-wells 0.02 --missing-sites 0.01`,
    )
    .action(async (dir: string, options: SynthOptions) => {
      const { writeSynthetic } = await import("./synth.ts");
      await writeSynthetic(dir, options);
    });
};

const verifyCommand = (): Command =>
  withDatasetOptions(new Command("verify"))
    .description("check every row and every image, and list all problems at once")
    .argument("<dir>", "folder of the dataset, or a CSV table")
    .option("--headers-only", "do not decode the pixels: many times as fast, but blind to truncated files")
    .option("--all", "list every problem, not just the first five of each kind")
    .option("--json", "one JSON object, with all problems")
    .addHelpText(
      "after",
      `
Exit code 2 when there are problems, 0 when there are none.

Examples:
  pipeline data verify rxrx1
  pipeline data verify plates/load_data.csv --headers-only --json`,
    )
    .action(async (dir: string, options: VerifyOptions) => {
      const { verifyData } = await import("./verify.ts");
      process.exitCode = await verifyData(dir, options);
    });

const infoCommand = (): Command =>
  withDatasetOptions(new Command("info"))
    .description("show what a dataset holds, and what its tables' columns were taken for")
    .argument("<dir>", "folder of the dataset, or a CSV table")
    .option("--json", "one JSON object")
    .addHelpText(
      "after",
      `
Layouts: ${layouts.map(({ name, description }) => `${name} (${description})`).join(", ")}.

Examples:
  pipeline data info rxrx1
  pipeline data info plates/load_data.csv --column class=Metadata_compound --where 'Metadata_Site != "test"'
  pipeline data info rxrx1 --json`,
    )
    .action(async (dir: string, options: InfoOptions) => {
      const { describeData } = await import("./info.ts");
      process.stdout.write(await describeData(dir, options));
    });

const exportCommand = (): Command =>
  withDatasetOptions(new Command("export"))
    .description("write the images of a run with its calls, for napari, vizarr and other viewers")
    .argument("<run>", "folder of a finished run")
    .requiredOption("--ome-zarr <dir>", "folder for the plates, OME-Zarr 0.4: DIR/EXPERIMENT/PLATE.zarr")
    .option("-d, --data <dir>", "dataset with the images (default: the one that the run was started with)")
    .option("-e, --experiment <ids...>", "only these experiments (default: all of the run)")
    .option("--plate <names...>", "only these plates (default: all)")
    .option("--sites <n>", "images of each well, at most (default: all)", atLeast(1))
    .option("--json", "one JSON object per plate")
    .addHelpText(
      "after",
      `
A plate shows its wells at their places, with names and colours of the channels. Each image (PLATE.zarr/B/03/0) has a layer
of labels, calls: a colour per class, and on pointing at it the call, its confidence, the truth and flags. The calls of
the plate lie in its folder as calls.csv.
How the dataset is read (columns, channels, plane) is taken from the run; options of this command come first.
A plate is there whole or not at all; one that is there already is an error.

Examples:
  pipeline data export runs/today --ome-zarr pictures
  pipeline data export runs/today --ome-zarr pictures --experiment HUVEC-01 --plate 1 --sites 1
  napari pictures/HUVEC-01/1.zarr        with its plugin napari-ome-zarr`,
    )
    .action(async (run: string, options: ExportOptions) => {
      const { exportRun } = await import("./export.ts");
      await exportRun(run, options);
    });
