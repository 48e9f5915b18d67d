/** One version of every network: any worker may take any batch, at any time of a run. */
import { PlatestreamError } from "../../common/errors.ts";
import type { ModelInfo } from "../../common/model-info.ts";

export interface NetworkVersions {
  /** Throws "invalid-model" where a worker holds another version than one that was there before it. */
  check(address: string, models: readonly ModelInfo[]): void;
  /** From now on, these are the versions. */
  keep(address: string, models: readonly ModelInfo[]): void;
}

export const networkVersions = (): NetworkVersions => {
  const kept = new Map<string, { readonly version: string; readonly address: string }>();
  return {
    check(address, models) {
      for (const { name, cellType, version } of models) {
        const same = kept.get(`${name} ${cellType}`);
        if (same === undefined || same.version === version) continue;
        throw new PlatestreamError(
          "invalid-model",
          `all workers of a run must hold the same version of a network, but of ${name} ${cellType} worker ` +
            `${address} holds ${version} and worker ${same.address} held ${same.version}; ` +
            `start all with the same bundle, and keep it while they run`,
        );
      }
    },
    keep(address, models) {
      for (const { name, cellType, version } of models) kept.set(`${name} ${cellType}`, { version, address });
    },
  };
};
