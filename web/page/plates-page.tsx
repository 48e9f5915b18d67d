/** The plates of one experiment side by side, coloured by whatever is known of the wells. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ColourChoice } from "./colour-choice.tsx";
import { colourings, componentPrefix, paint } from "./colours.ts";
import { Legend } from "./legend.tsx";
import { hashOf, type Place, slide } from "./place.ts";
import { Plate } from "./plate.tsx";
import { useScores } from "./profiles.ts";
import type { Screen } from "./screen.ts";
import { WellPanel } from "./well-panel.tsx";

const components = 5;

export const PlatesPage = ({ screen, place }: { screen: Screen; place: Place }) => {
  const ids = [...screen.experiments.keys()];
  const experiment =
    place.experiment !== undefined && screen.experiments.has(place.experiment) ? place.experiment : ids[0];
  const [everywhere, setEverywhere] = useState(true);
  const wells = experiment === undefined ? [] : screen.wellsOf(experiment);
  const wanted = place.colour ?? "confidence";
  const scores = useScores(screen, wanted.startsWith(componentPrefix));
  const scoreOf = scores.of;
  const choices = useMemo(
    () => colourings(wells, screen.experiments, screen.about.profiles ? components : 0, scoreOf),
    [wells, scoreOf],
  );
  const chosen = choices.find(({ id }) => id === wanted) ?? choices[0]!;
  const painted = useMemo(
    () => paint(chosen, everywhere ? [...screen.wells.values()] : wells),
    [chosen, everywhere, everywhere ? screen.version : wells],
  );
  const plates = useMemo(() => [...byPlate(wells)], [wells]);
  const row =
    experiment !== undefined && place.plate !== undefined && place.well !== undefined
      ? screen.well(experiment, place.plate, place.well)
      : undefined;

  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
      const step = event.key === "]" ? 1 : event.key === "[" ? -1 : 0;
      const next = ids[ids.indexOf(experiment ?? "") + step];
      if (step !== 0 && next !== undefined) slide({ page: "plates", experiment: next, colour: place.colour });
      if (event.key === "Escape") slide({ ...place, well: undefined });
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });

  if (experiment === undefined) return <p class="wait">No experiment is known yet.</p>;
  const about = screen.experiments.get(experiment)!;
  return (
    <div class={row === undefined ? "plates" : "plates with-panel"}>
      <section class="main">
        <form class="bar" onSubmit={(event) => event.preventDefault()}>
          <label>
            Experiment{" "}
            <select
              value={experiment}
              onChange={({ currentTarget }) =>
                slide({ page: "plates", experiment: currentTarget.value, colour: place.colour })
              }
            >
              {ids.map((id) => (
                <option key={id} value={id}>
                  {id}
                </option>
              ))}
            </select>
          </label>
          <ColourChoice
            choices={choices}
            chosen={chosen.id}
            onChoose={(colour) => slide({ ...place, experiment, colour })}
          />
          <label>
            <input
              type="checkbox"
              checked={everywhere}
              onChange={({ currentTarget }) => setEverywhere(currentTarget.checked)}
            />{" "}
            same colours in all experiments
          </label>
          <span class="quiet">
            {about.cellType}, {about.state}, {about.called} of {about.wells} wells called
          </span>
        </form>
        <Legend paint={painted} title={chosen.title} />
        {scores.problem !== undefined && wanted.startsWith(componentPrefix) && <p class="note">{scores.problem}</p>}
        <div class="side-by-side">
          {plates.map(([plate, own]) => (
            <Plate
              key={plate}
              experiment={experiment}
              plate={plate}
              wells={own}
              paint={painted}
              selected={plate === place.plate ? place.well : undefined}
              onSelect={(well) => slide({ page: "plates", experiment, plate, well, colour: place.colour })}
            />
          ))}
        </div>
        <p class="quiet">
          Circles are treatments, squares controls. A cross: the well could not be called. A dot: some of its sites were
          left out. Arrow keys go from well to well, [ and ] from experiment to experiment.{" "}
          <a href={hashOf({ ...place, page: "plates", experiment })}>Link to this view</a>
        </p>
        {about.notes.length > 0 && (
          <ul class="notes">
            {about.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        )}
      </section>
      {row !== undefined && (
        <WellPanel
          key={`${row.experiment} ${row.plate} ${row.well}`}
          screen={screen}
          row={row}
          onClose={() => slide({ ...place, well: undefined })}
        />
      )}
    </div>
  );
};

const byPlate = <T extends { readonly plate: string }>(rows: readonly T[]): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.plate);
    if (group === undefined) groups.set(row.plate, [row]);
    else group.push(row);
  }
  return groups;
};
