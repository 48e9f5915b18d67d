/** What `pipeline adapt` and `pipeline start --adapt` share: the recipe, and how a round is told. */
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { parse as parseYaml } from "yaml";
import { PlatestreamError } from "../../common/errors.ts";
import { packageFile } from "../../common/package-file.ts";
import { parse } from "../../common/schema.ts";
import type { AdaptReport } from "../../training/adapt/adapt-bundle.ts";
import type { AdaptRound } from "../../training/adapt/adapt-network.ts";
import { type AdaptRecipe, adaptRecipeSchema } from "../../training/adapt/adapt-recipe.ts";

/** A file, or the name of one of those in recipes/. */
export const readAdaptRecipe = async (name: string): Promise<AdaptRecipe> => {
  const shipped = packageFile(`recipes/${name.replace(/\.yaml$/, "")}.yaml`);
  const given = statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
  const path = !given && !name.includes("/") && existsSync(shipped) ? shipped : name;
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new PlatestreamError("invalid-config", `the recipe ${path} cannot be read: ${cause.message}`, { cause });
  });
  return parse(adaptRecipeSchema, parseYaml(text) ?? {}, path);
};

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const roundSentence = ({ stage, round, rounds, taken, wells, changed, loss, seconds }: AdaptRound): string =>
  `${stage} ${round + 1}/${rounds}   learnt from ${taken} of ${wells} wells as called   ` +
  `${percent(changed)} of the calls changed   loss ${loss.toPrecision(4)}   ${seconds.toFixed(0)} s`;

export const adaptedSentence = ({ rounds, changed, ended }: AdaptReport): string =>
  `called by a network that has learnt from it without its labels: ${rounds.length} rounds, ${percent(changed)} of the calls changed, ${ended}`;
