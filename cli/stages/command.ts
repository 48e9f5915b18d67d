import { Command } from "commander";
import type { OptionDescription } from "../../common/schema.ts";
import type { AnyStage } from "../../pipeline/stage/stage.ts";

/** `pipeline stages list | inspect NAME` */
export const command = (): Command =>
  new Command("stages")
    .description("show the stages that a pipeline can be built of")
    .addCommand(listCommand())
    .addCommand(inspectCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline stages list
  pipeline stages inspect ./my-stage.ts`,
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
    .description("show what a stage takes, gives and can be told")
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

const optionLines = (options: readonly OptionDescription[]): string => {
  if (options.length === 0) return "\nno options\n";
  return options
    .map(({ name, type, default: value, required, description }) => {
      const state = value === undefined ? (required ? "required" : "optional") : `default ${value}`;
      return `\n  ${name} (${type}; ${state})\n      ${description}\n`;
    })
    .join("");
};
