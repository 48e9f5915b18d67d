/** Every command, in the order of the help. To add one: a folder with command.ts and action.ts, and its line here. */
export const commands = [
  import("./start/command.ts"),
  import("./worker/command.ts"),
  import("./train/command.ts"),
  import("./adapt/command.ts"),
  import("./evaluate/command.ts"),
  import("./data/command.ts"),
  import("./model/command.ts"),
  import("./stages/command.ts"),
  import("./submit/command.ts"),
  import("./gateway/command.ts"),
  import("./status/command.ts"),
  import("./results/command.ts"),
  import("./view/command.ts"),
  import("./dead-letters/command.ts"),
  import("./repair/command.ts"),
  import("./token/command.ts"),
] as const;
