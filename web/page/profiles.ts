/** The principal components of all profiles, loaded when somebody wants to see them. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Profiles, WellRow } from "../protocol.ts";
import { keyOf, type Screen } from "./screen.ts";
import { askJson } from "./server.ts";

export interface Scores {
  readonly components: number;
  readonly wells: Profiles["wells"];
  /** [wells, components] */
  readonly scores: Float32Array;
  readonly explained: readonly number[];
}

const loadScores = async (which: "own" | "beside", signal: AbortSignal): Promise<Scores> => {
  const { scores, ...rest } = await askJson<Profiles>("profiles", { which }, signal);
  const bytes = Uint8Array.from(atob(scores), (character) => character.charCodeAt(0));
  return { ...rest, scores: new Float32Array(bytes.buffer) };
};

interface UsedScores {
  readonly scores: Scores | undefined;
  readonly problem: string | undefined;
  readonly of: (well: WellRow, component: number) => number | undefined;
}

/** Loaded anew whenever more experiments are done. */
export const useScores = (screen: Screen, wanted: boolean, which: "own" | "beside" = "own"): UsedScores => {
  const [scores, setScores] = useState<Scores>();
  const [problem, setProblem] = useState<string>();
  const done = [...screen.experiments.values()].filter(({ state }) => state === "done").length;
  useEffect(() => {
    if (!wanted || !screen.about.profiles) return;
    const gone = new AbortController();
    loadScores(which, gone.signal).then(
      (loaded) => {
        setScores(loaded);
        setProblem(undefined);
      },
      (error: Error) => {
        if (!gone.signal.aborted) setProblem(error.message);
      },
    );
    return () => gone.abort();
  }, [wanted, done, which, screen.about.epoch]);
  const index = useMemo(
    () => new Map(scores?.wells.map(([experiment, plate, well], row) => [keyOf(experiment, plate, well), row])),
    [scores],
  );
  const of = useMemo(
    () =>
      ({ experiment, plate, well }: WellRow, component: number): number | undefined => {
        const row = index.get(keyOf(experiment, plate, well));
        return row === undefined || scores === undefined || component >= scores.components
          ? undefined
          : scores.scores[row * scores.components + component];
      },
    [index],
  );
  return { scores, problem, of };
};
