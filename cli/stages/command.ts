import { Command } from "commander";
import type { OptionDescription } from "../../common/schema.ts";
import type { AnyStage } from "../../pipeline/stage/stage.ts";
import { atLeast } from "../parts/whole-number.ts";
import type { TestStageOptions } from "./test-stage.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** `pipeline stages list | inspect | new | test` */
export const command = (): Command =>
  new Command("stages")
    .description("show the stages that a pipeline can be built of; write one of your own, and try it")
    .addCommand(listCommand())
    .addCommand(inspectCommand())
    .addCommand(newCommand())
    .addCommand(testCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline stages list
  pipeline stages inspect ./my-stage.ts
  pipeline stages new my-stage
  pipeline stages test ./my-stage.mjs --data rxrx1`,
    );

const listCommand = (): Command =>
  new Command("list")
    .description("list the built-in stages in the order of the usual chain")
    .option("--json", "one JSON array")
    .addHelpText(
      "after",
      `
Examples:
  pipeline stages list
  pipeline stages list --json`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { stages } = await import("../../stages/built-in.ts");
      const rows = Object.values(stages).map(({ name, input, output, description }) => ({
        name,
        input,
        output,
        description,
      }));
      if (json) return void process.stdout.write(`${JSON.stringify(rows)}\n`);
      const width = Math.max(...rows.map(({ name }) => name.length));
      const ports = rows.map(({ input, output }) => `${input} -> ${output}`);
      const portsWidth = Math.max(...ports.map((port) => port.length));
      for (const [index, { name, description }] of rows.entries()) {
        process.stdout.write(`${name.padEnd(width)}  ${ports[index]!.padEnd(portsWidth)}  ${description}\n`);
      }
    });

const inspectCommand = (): Command =>
  new Command("inspect")
    .description("show what a stage takes and gives, and its options")
    .argument("<stage>", "a built-in stage, a file (./mine.ts) or an installed package")
    .option("--json", "one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  pipeline stages inspect infer\n  pipeline stages inspect ./plugins/in-focus.ts",
    )
    .action(async (use: string, { json }: { json?: boolean }) => {
      const [{ stages }, { loadPlugin }, { describeOptions }] = await Promise.all([
        import("../../stages/built-in.ts"),
        import("../../pipeline/stage/load-plugin.ts"),
        import("../../common/schema.ts"),
      ]);
      const builtIn: Record<string, AnyStage> = stages;
      const stage = builtIn[use] ?? (await loadPlugin(use, process.cwd(), Object.keys(builtIn)));
      const options = describeOptions(stage.config);
      const { name, description, input, output } = stage;
      process.stdout.write(
        json
          ? `${JSON.stringify({ name, description, input, output, options })}\n`
          : `${name}: ${description}\n\ntakes ${input}, gives ${output}\n${optionLines(options)}`,
      );
    });

const newCommand = (): Command =>
  new Command("new")
    .description("write a stage of your own and its test into this folder, to be changed")
    .argument("<name>", "its name: lower-case letters, digits and dashes")
    .addHelpText("after", "\nExamples:\n  pipeline stages new my-stage")
    .action(async (name: string) => {
      const { newStage } = await import("./new-stage.ts");
      await newStage(name);
    });

const testCommand = (): Command =>
  new Command("test")
    .description("send a few sites through one stage, and show what went in and what came out")
    .argument("<stage>", "a file (./mine.ts), an installed package, or a built-in stage")
    .option("-d, --data <dir>", "dataset whose first experiment is used (default: a small synthetic one)")
    .option("--sites <n>", "sites to send", atLeast(1), 8)
    .option("-s, --set <stage.option=value>", "set one option of the stage; may be given several times", collect, [])
    .addHelpText(
      "after",
      `
What the stage takes is made by the built-in stages before it. Workers are replaced by ones that answer without a network.

Examples:
  pipeline stages test ./my-stage.mjs
  pipeline stages test ./my-stage.mjs --data rxrx1 --sites 24 --set ./my-stage.mjs.level=3
  pipeline stages test decode --data plates/load_data.csv`,
    )
    .action(async (use: string, options: TestStageOptions) => {
      const { testStage } = await import("./test-stage.ts");
      process.exitCode = await testStage(use, options);
    });

const optionLines = (options: readonly OptionDescription[]): string => {
  if (options.length === 0) return "\nno options\n";
  return options
    .map(({ name, type, default: value, required, description }) => {
      const state = value === undefined ? (required ? "required" : "optional") : `default ${value}`;
      return `\n  ${name} (${type}; ${state})\n      ${description}\n`;
    })
    .join("");
};
