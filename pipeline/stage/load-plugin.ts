/** Loads a stage that is not built in: from a file of the user's (TypeScript or JavaScript) or from an npm package. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { listProblems, PlatestreamError } from "../../common/errors.ts";
import { enter, labelled, startWatchdog } from "../../common/observe/watchdog.ts";
import type { AnyStage } from "./stage.ts";

const isFile = (use: string): boolean => use.startsWith(".") || isAbsolute(use) || /\.[cm]?[jt]s$/.test(use);

/**
 * Returns the default export of `use`, checked to be a stage. A file is looked up from `baseFolder` (that of the
 * configuration), a package from there, too. In a file, `platestream/plugin`, `rxjs` and `zod` are the running
 * program's own, so that a plugin needs no installation.
 */
export const loadPlugin = async (use: string, baseFolder: string, builtIn: readonly string[]): Promise<AnyStage> => {
  const module = await patiently(use, () =>
    isFile(use) ? loadFile(resolve(baseFolder, use), use) : loadPackage(use, baseFolder, builtIn),
  );
  return checkStage(module.default, use);
};

/** The file that a plugin begins in; of one that can be loaded. */
export const pluginFile = (use: string, baseFolder: string): string =>
  isFile(use) ? resolve(baseFolder, use) : createRequire(join(baseFolder, "package.json")).resolve(use);

const patienceMs = 10_000;

/** What runs while a module is loaded is its own code: it may wait for something that never comes, or never return. */
const patiently = async <T>(use: string, load: () => Promise<T>): Promise<T> => {
  const watchdog = startWatchdog();
  const leave = enter(labelled(`plugin ${use}, while it is loaded,`));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const why = "it waits for something at its top level";
      reject(
        new PlatestreamError("invalid-config", `plugin ${use} has not loaded within ${patienceMs / 1_000} s: ${why}`),
      );
    }, patienceMs);
  });
  try {
    return await Promise.race([load(), late]);
  } finally {
    clearTimeout(timer);
    leave();
    watchdog.close();
  }
};

interface PluginModule {
  readonly default?: unknown;
}

const loadFile = async (path: string, use: string): Promise<PluginModule> => {
  if (!existsSync(path)) {
    throw new PlatestreamError("invalid-config", `there is no plugin file ${path} (written as "${use}" in the stages)`);
  }
  const [{ createJiti }, door, rxjs, zod] = await Promise.all([
    import("jiti"),
    import("../plugin.ts"),
    import("rxjs"),
    import("zod"),
  ]);
  const jiti = createJiti(pathToFileURL(path).href, {
    interopDefault: false,
    virtualModules: { "platestream/plugin": door, rxjs, zod },
  });
  try {
    return await jiti.import<PluginModule>(path);
  } catch (cause) {
    throw new PlatestreamError("invalid-config", `plugin ${use} could not be loaded: ${(cause as Error).message}`, {
      cause,
    });
  }
};

const loadPackage = async (use: string, baseFolder: string, builtIn: readonly string[]): Promise<PluginModule> => {
  let path: string;
  try {
    path = createRequire(join(baseFolder, "package.json")).resolve(use);
  } catch (cause) {
    throw new PlatestreamError(
      "invalid-config",
      `there is no stage "${use}": it is neither built in (${builtIn.join(", ")}) nor a package installed in ${baseFolder}; ` +
        `a stage in a file is named by its path, as in "./${use}.ts"`,
      { cause },
    );
  }
  try {
    return (await import(pathToFileURL(path).href)) as PluginModule;
  } catch (cause) {
    throw new PlatestreamError("invalid-config", `plugin ${use} could not be loaded: ${(cause as Error).message}`, {
      cause,
    });
  }
};

const checkStage = (value: unknown, use: string): AnyStage => {
  if (typeof value !== "object" || value === null) {
    throw new PlatestreamError(
      "invalid-config",
      `plugin ${use} must export a stage as its default export, got ${value === undefined ? "none" : typeof value}`,
    );
  }
  const stage = value as Record<string, unknown>;
  const problems = [
    ...["name", "description", "input", "output"]
      .filter((key) => typeof stage[key] !== "string")
      .map((key) => `${key} must be a text, got ${typeof stage[key]}`),
    ...(stage.config instanceof z.ZodType ? [] : ["config must be a zod schema, as in z.strictObject({ … })"]),
    ...(typeof stage.apply === "function" ? [] : [`apply must be a function, got ${typeof stage.apply}`]),
  ];
  if (problems.length > 0)
    throw new PlatestreamError("invalid-config", listProblems(`plugin ${use} is not a stage:`, problems));
  return stage as unknown as AnyStage;
};
