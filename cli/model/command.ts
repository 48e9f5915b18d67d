import { Command, InvalidArgumentError, Option } from "commander";
import type { Variant } from "../../gpu-worker/network/architecture.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { ImportOptions, NetworkOptions } from "./make-bundle.ts";
import type { ExportOptions } from "./show-bundle.ts";

/** The names of `variants`, whose file is too heavy to load for a help text. */
const archs = [
  "densenet121",
  "densenet161",
  "densenet169",
  "densenet201",
  "densenet-small",
] as const satisfies readonly Variant[];

/** `pipeline model new | info | export | import` */
export const command = (): Command =>
  new Command("model")
    .description("make, look into and convert bundles: folders with one network per cell type")
    .addCommand(newCommand())
    .addCommand(infoCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline model new --layout rxrx1 --out models/mine
  pipeline model info models/mine
  pipeline model export models/mine --cell-type HUVEC --onnx huvec.onnx`,
    );

const size = (text: string): { height: number; width: number } => {
  const [, height, width] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? [];
  if (height === undefined) throw new InvalidArgumentError("It is pixels, as 512, or HEIGHTxWIDTH, as 520x696.");
  return { height: Number(height), width: Number(width ?? height) };
};

const names = (text: string): string[] => {
  const list = text.split(",").map((name) => name.trim());
  if (list.includes("")) throw new InvalidArgumentError("It is a list of names with commas between them.");
  return list;
};

const describesNetwork = (command: Command): Command =>
  command
    .addOption(new Option("--arch <name>", "network").choices(archs).default("densenet121"))
    .option("--classes <n>", 'number of classes, which are then called "0", "1", …', atLeast(1))
    .option("--layout <dir>", "dataset that gives classes, controls, plate groups, cell types and channels")
    .option("--cell-types <a,b>", "a network for each of these (default: those of --layout)", names)
    .addOption(
      new Option("--size <pixels>", "height and width of the images, or HEIGHTxWIDTH")
        .argParser(size)
        .default(size("512"), "512"),
    )
    .option("--channels <n>", "channels of an image (default: those of --layout, else 6)", atLeast(1))
    .option("--plates <n>", "length of the plate one-hot that the classifier reads beside the features", atLeast(0), 0)
    .option("--name <name>", "what clients call it (default: the name of the folder)")
    .option("--seed <n>", "of the fresh weights", atLeast(0), 1)
    .requiredOption("-o, --out <dir>", "folder of the bundle");

const newCommand = (): Command =>
  describesNetwork(
    new Command("new").description("make a bundle of untrained networks (He initialisation), to train or to try out"),
  )
    .addHelpText(
      "after",
      `
Examples:
  pipeline model new --layout rxrx1 --out models/mine
  pipeline model new --classes 1139 --cell-types HUVEC,RPE --out models/untrained
  pipeline model new --arch densenet-small --size 64 --layout plates --out models/small`,
    )
    .action(async (options: NetworkOptions) => {
      const { newBundle } = await import("./make-bundle.ts");
      await newBundle(options);
    });

const importCommand = (): Command =>
  describesNetwork(
    new Command("import")
      .description("make a bundle from PyTorch weights, or add them to one")
      .argument("<weights.safetensors>", "tensors by torchvision's names")
      .option("--new-head", "start a fresh classifier: for other classes than the file's"),
  )
    .addHelpText(
      "after",
      `
Every cell type gets the same weights; run it once per cell type, with --cell-types, for weights of their own. Where
--out is a bundle already, its network counts and the options that describe one are not taken.

What torchvision's files lack is filled in: the BatchNorm over the raw channels (identity) and the first convolution's
bias (zero). A first convolution for 3 channels is spread over yours, red, green, blue in turn, times 3/channels.

Examples:
  pipeline model import densenet121.safetensors --layout rxrx1 --new-head --out models/from-imagenet
  pipeline model import huvec.safetensors --cell-types HUVEC --classes 1139 --out models/mine`,
    )
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const { importBundle } = await import("./make-bundle.ts");
      const said = (option: string) => command.getOptionValueSource(option) === "cli";
      await importBundle(file, options, said);
    });

const infoCommand = (): Command =>
  new Command("info")
    .description("show what a bundle holds, and check all of it")
    .argument("<dir>", "bundle")
    .option("--json", "one JSON object")
    .addHelpText("after", "\nExamples:\n  pipeline model info models/mine\n  pipeline model info models/mine --json")
    .action(async (dir: string, { json }: { json?: boolean }) => {
      const { showBundle } = await import("./show-bundle.ts");
      await showBundle(dir, json === true);
    });

const exportCommand = (): Command =>
  new Command("export")
    .description("write networks of a bundle as ONNX, for any ONNX runtime or for a server such as NVIDIA Triton")
    .argument("<dir>", "bundle")
    .option("--onnx <file>", "write one network as one file")
    .option("--repository <dir>", "write a model repository that a server of the Open Inference Protocol holds")
    .option("--cell-type <name>", "which network (default: the only one; all of them with --repository)")
    .option(
      "--statistics <running|input|file>",
      "with --onnx, what BatchNorm uses: of training, those that the graph is given as inputs, or a file that Calibrate returned",
      "running",
    )
    .addOption(
      new Option("--pixels <type>", "type of the pixels that it reads")
        .choices(["uint8", "uint16", "float32"])
        .default("uint8"),
    )
    .addHelpText(
      "after",
      `
Examples:
  pipeline model export models/mine --cell-type HUVEC --onnx huvec.onnx
  pipeline model export models/mine --cell-type HUVEC --statistics plate1.safetensors --onnx huvec-plate1.onnx
  pipeline model export models/mine --repository triton-models`,
    )
    .action(async (dir: string, options: ExportOptions) => {
      const { exportBundle } = await import("./show-bundle.ts");
      await exportBundle(dir, options);
    });
