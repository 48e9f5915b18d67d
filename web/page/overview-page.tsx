/** All experiments with how far they are, and who computes. */
import type { ExperimentRow } from "../protocol.ts";
import { saveTable } from "./download.ts";
import { hashOf } from "./place.ts";
import type { Screen } from "./screen.ts";

export const OverviewPage = ({ screen }: { screen: Screen }) => {
  const rows = [...screen.experiments.values()];
  const { nodes, workers, ended } = screen.activity;
  const total = (count: (row: ExperimentRow) => number) => rows.reduce((sum, row) => sum + count(row), 0);
  const inState = (state: ExperimentRow["state"]) => rows.filter((row) => row.state === state).length;
  const running = rows.filter(({ state }) => state === "running");
  const rate = running.reduce((sum, { imagesPerSecond = 0 }) => sum + imagesPerSecond, 0);
  const left = Math.max(0, ...running.map(({ secondsLeft = 0 }) => secondsLeft));
  const failed = rows.filter(({ state }) => state === "failed");
  return (
    <section class="main">
      <ul class="tiles">
        <Tile value={rows.length} name="experiments" />
        <Tile value={inState("running")} name="running" />
        <Tile value={inState("done")} name="done" />
        <Tile value={failed.length} name="failed" bad={failed.length > 0} />
        <Tile value={`${total(({ called }) => called)} of ${total(({ wells }) => wells)}`} name="wells called" />
        {rate > 0 && <Tile value={rate.toFixed(1)} name="images/s" />}
        {left > 0 && <Tile value={duration(left)} name="left of what runs" />}
        {ended && <Tile value="ended" name="this run" />}
      </ul>
      <h2>
        Experiments{" "}
        <button
          type="button"
          onClick={() =>
            saveTable(
              "experiments",
              header,
              rows.map((row) => header.map((name) => row[name])),
            )
          }
        >
          CSV
        </button>
      </h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Experiment</th>
              <th>Cell type</th>
              <th>State</th>
              <th>Progress</th>
              <th class="number">Wells called</th>
              <th class="number">Images/s</th>
              <th class="number">Time</th>
              <th>Node</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id}>
                <td>
                  <a href={hashOf({ page: "plates", experiment: row.id })}>{row.id}</a>
                </td>
                <td>{row.cellType}</td>
                <td>
                  <span class={`state ${row.state}`}>{row.state}</span>
                  {row.attempts > 1 && <span class="quiet"> attempt {row.attempts}</span>}
                </td>
                <td>
                  <progress max={1} value={share(row)} aria-label={`progress of ${row.id}`} />
                </td>
                <td class="number">
                  {row.called} of {row.wells}
                </td>
                <td class="number">{row.imagesPerSecond?.toFixed(1)}</td>
                <td class="number">
                  {row.state === "done"
                    ? row.seconds !== undefined && duration(row.seconds)
                    : row.secondsLeft !== undefined && row.secondsLeft > 0 && `${duration(row.secondsLeft)} left`}
                </td>
                <td>{row.node}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.some(({ reason, state }) => reason !== undefined && state !== "done") && (
        <>
          <h2>What went wrong</h2>
          <ul class="notes">
            {rows
              .filter(({ reason, state }) => reason !== undefined && state !== "done")
              .map(({ id, state, reason }) => (
                <li key={id}>
                  <b>{id}</b> {state === "failed" ? "failed" : "is tried again"}: {reason}
                </li>
              ))}
          </ul>
        </>
      )}
      {nodes.length > 0 && (
        <>
          <h2>Nodes</h2>
          <table>
            <thead>
              <tr>
                <th>Node</th>
                <th>Host</th>
                <th>Cell types</th>
                <th>Running</th>
              </tr>
            </thead>
            <tbody>
              {nodes.map(({ node, host, cellTypes, running: now, draining }) => (
                <tr key={node}>
                  <td>{node}</td>
                  <td>{host}</td>
                  <td>{cellTypes.join(", ")}</td>
                  <td>
                    {draining ? "leaving; " : ""}
                    {now.join(", ")}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      {workers.length > 0 && (
        <>
          <h2>Workers</h2>
          <table>
            <thead>
              <tr>
                <th>Address</th>
                <th>Host</th>
                <th>Computes with</th>
                <th>Networks</th>
                <th class="number">Requests in hand</th>
              </tr>
            </thead>
            <tbody>
              {workers.map(({ address, host, provider, models, load }) => (
                <tr key={`${host} ${address}`}>
                  <td>{address}</td>
                  <td>{host}</td>
                  <td>{provider}</td>
                  <td>{models.join(", ")}</td>
                  <td class="number">{load}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
};

const header = [
  "id",
  "cellType",
  "state",
  "attempts",
  "wells",
  "called",
  "imagesPerSecond",
  "seconds",
  "node",
  "reason",
] as const;

const Tile = ({ value, name, bad = false }: { value: string | number; name: string; bad?: boolean }) => (
  <li class={bad ? "bad" : ""}>
    <b>{value}</b>
    <span>{name}</span>
  </li>
);

const share = ({ state, progress, called, wells }: ExperimentRow): number => {
  if (state === "done") return 1;
  if (progress !== undefined && progress.of > 0) return progress.sites / progress.of;
  return wells === 0 ? 0 : called / wells;
};

export const duration = (seconds: number): string => {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
};
