import { InvalidArgumentError } from "commander";

/** Reads the value of an option that is a whole number. */
export const atLeast =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && text.trim() !== "") return value;
    throw new InvalidArgumentError(`It is a whole number, ${least} or more.`);
  };
