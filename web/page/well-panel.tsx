/** Everything that is known of one well. */
import { useEffect, useState } from "preact/hooks";
import type { WellDetail, WellRow } from "../protocol.ts";
import { agreementOf } from "./colours.ts";
import { Pictures } from "./pictures.tsx";
import { hashOf } from "./place.ts";
import type { Screen } from "./screen.ts";
import { askJson } from "./server.ts";

const agreements = {
  right: "as in the layout",
  wrong: "not as in the layout",
  unknown: "no treatment of the layout to compare with",
};

export const WellPanel = ({ screen, row, onClose }: { screen: Screen; row: WellRow; onClose: () => void }) => {
  const { experiment, plate, well } = row;
  const [detail, setDetail] = useState<WellDetail>();
  const [problem, setProblem] = useState<string>();
  const state = screen.experiments.get(experiment)?.state;
  useEffect(() => {
    const gone = new AbortController();
    askJson<WellDetail>("well", { experiment, plate, well }, gone.signal).then(setDetail, (error: Error) => {
      if (!gone.signal.aborted) setProblem(error.message);
    });
    return () => gone.abort();
  }, [experiment, plate, well, state]);

  const agreement = agreementOf(row);
  return (
    <aside class="panel" aria-label={`well ${well}`}>
      <header>
        <h2>
          {well}{" "}
          <small>
            plate {plate}, {experiment}
          </small>
        </h2>
        <button type="button" onClick={onClose} aria-label="close">
          ×
        </button>
      </header>
      <dl>
        <dt>Call</dt>
        <dd>
          {row.call === undefined ? "not called" : <b>{row.call}</b>}{" "}
          {agreement !== undefined && <span class={`badge ${agreement}`}>{agreements[agreement]}</span>}
        </dd>
        <Fact name="Layout" value={row.treatment} />
        <Fact name="Well type" value={row.wellType.replaceAll("_", " ")} />
        <Fact name="Confidence" value={row.confidence?.toFixed(3)} />
        <Fact
          name="Probability"
          value={
            row.probability === undefined
              ? undefined
              : `${row.probability.toFixed(3)} (a sigmoid of the network; those of all classes do not sum to 1)`
          }
        />
        <Fact name="Margin" value={row.margin?.toFixed(3)} />
        <Fact name="Plate group" value={row.plateGroup} />
        <Fact name="Flags" value={row.flags.length === 0 ? undefined : row.flags.join(", ")} />
        {Object.entries(row.byStrategy ?? {}).map(([strategy, call]) => (
          <Fact key={strategy} name={strategy} value={call} />
        ))}
      </dl>
      {row.reasons.length > 0 && (
        <ul class="notes">
          {row.reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      {problem !== undefined && <p class="note">{problem}</p>}
      {detail !== undefined && <Details screen={screen} row={row} detail={detail} />}
      {Object.keys(row.metadata).length > 0 && (
        <>
          <h3>Metadata</h3>
          <dl>
            {Object.entries(row.metadata).map(([name, value]) => (
              <Fact key={name} name={name} value={value} />
            ))}
          </dl>
        </>
      )}
    </aside>
  );
};

const Details = ({ screen, row, detail }: { screen: Screen; row: WellRow; detail: WellDetail }) => (
  <>
    {detail.alternatives.length > 0 && (
      <>
        <h3>Most probable classes</h3>
        <ol class="shares">
          {detail.alternatives.map(({ treatment, probability }) => (
            <li key={treatment}>
              <span>{treatment}</span>
              <meter value={probability} min={0} max={1} />
              <span>{probability.toFixed(3)}</span>
            </li>
          ))}
        </ol>
      </>
    )}
    {detail.sites.some(({ vote }) => vote !== undefined) && (
      <>
        <h3>What its sites say alone</h3>
        <ol class="shares">
          {detail.sites.map(({ site, vote }) => (
            <li key={site}>
              <span>
                site {site}: {vote?.treatment ?? "left out"}
              </span>
              <meter value={vote?.probability ?? 0} min={0} max={1} />
              <span>{vote?.probability.toFixed(3)}</span>
            </li>
          ))}
        </ol>
      </>
    )}
    {screen.about.pictures && (
      <Pictures
        about={screen.about}
        row={row}
        sites={detail.sites.filter(({ pictures }) => pictures).map(({ site }) => site)}
      />
    )}
    {detail.similar.length > 0 && (
      <>
        <h3>Most similar wells</h3>
        <ol class="similar">
          {detail.similar.map(({ experiment, plate, well, similarity }) => (
            <li key={`${experiment} ${plate} ${well}`}>
              <a href={hashOf({ page: "plates", experiment, plate, well })}>
                {experiment} {plate} {well}
              </a>{" "}
              <span class="quiet">
                {screen.well(experiment, plate, well)?.call} {similarity.toFixed(3)}
              </span>
            </li>
          ))}
        </ol>
      </>
    )}
    {detail.model !== undefined && (
      <p class="quiet">
        Network {detail.model}; statistics {detail.statistics}
      </p>
    )}
  </>
);

const Fact = ({ name, value }: { name: string; value: string | number | undefined }) =>
  value === undefined ? null : (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
