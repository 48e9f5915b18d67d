import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { program } from "../../cli/program.ts";

const mistakes: readonly (readonly [line: string, problem: string])[] = [
  ["strat", "unknown command 'strat' (did you mean start?); see `pipeline --help`"],
  ["start --nope", "unknown option '--nope' (did you mean --node?); see `pipeline start --help`"],
  ["start more", "too many arguments for 'start'. Expected 0 arguments but got 1; see `pipeline start --help`"],
  ["start --data", "option '-d, --data <dir>' argument missing; see `pipeline start --help`"],
  ["data synth", "missing required argument 'dir'; see `pipeline data synth --help`"],
  ["worker", "required option '-m, --model <dir>' not specified; see `pipeline worker --help`"],
  [
    "worker --model demo --provider abacus",
    "option '--provider <name>' argument 'abacus' is invalid. Allowed choices are auto, cuda, webgpu, cpu, tensorflow-gpu, tensorflow, wasm; see `pipeline worker --help`",
  ],
  [
    "results --from 9007199254740993",
    "option '--from <place>' argument '9007199254740993' is invalid. It is now, start, or the sequence number to go on after, less than 2^53; see `pipeline results --help`",
  ],
];

test("a command line that is not understood is wrong input: what is wrong, and where the help is", async () => {
  for (const [line, problem] of mistakes) {
    await assert.rejects((await program()).parseAsync(line.split(" "), { from: "user" }), {
      name: "PlatestreamError",
      message: `[invalid-config] ${problem}`,
    });
  }
});

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)];

test("the help of every command has examples", async () => {
  const without = withSubcommands(await program()).filter((command) => {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return !/\nExamples:\n {2}pipeline /.test(help);
  });
  assert.deepEqual(
    without.map((command) => command.name()),
    [],
  );
});

const run = (...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
    execFile(process.execPath, [main, ...words], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

test("wrong input exits with 2 and one line, help with 0, a group of commands alone with 2 and its help", async () => {
  const [wrong, help, group] = await Promise.all([run("start", "--nope"), run("start", "--help"), run("data")]);
  assert.deepEqual({ ...wrong, stderr: wrong.stderr.split("\n").length }, { code: 2, stdout: "", stderr: 2 });
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: pipeline start /);
  assert.equal(group.code, 2);
  assert.match(group.stderr, /^Usage: pipeline data /);
});

test("too few open files are told before anything is loaded", { skip: process.platform !== "linux" }, async () => {
  const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
  const limited = (files: number) =>
    new Promise<{ code: unknown; stderr: string }>((resolve) => {
      const command = `ulimit -n ${files}; exec "$0" "$1" stages list`;
      execFile("sh", ["-c", command, process.execPath, main], { timeout: 60_000 }, (error, _, stderr) =>
        resolve({ code: error === null ? 0 : error.code, stderr }),
      );
    });
  for (const files of [40, 128]) {
    const { code, stderr } = await limited(files);
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      new RegExp(`^pipeline: \\[system\\] this process may have ${files} files open .*ulimit -n 1024`),
    );
  }
  const { code, stderr } = await limited(256);
  assert.equal(code, 0, stderr);
});
