/** What the colours mean. */
import { type Paint, scaleColour } from "./colours.ts";

const most = 24;
const stops = 12;

export const Legend = ({ paint: { legend }, title }: { paint: Paint; title: string }) => {
  if (legend.kind === "scale") {
    if (!Number.isFinite(legend.low)) return <p class="legend quiet">{title}: not known of any well here yet</p>;
    return (
      <p class="legend">
        {title}: {short(legend.low)}
        <svg class="scale" viewBox={`0 0 ${stops} 1`} preserveAspectRatio="none" aria-hidden="true">
          {Array.from({ length: stops }, (_, i) => (
            <rect key={i} x={i} y={0} width={1.05} height={1} fill={scaleColour(i / (stops - 1))} />
          ))}
        </svg>
        {short(legend.high)}
      </p>
    );
  }
  if (legend.names.length === 0) return <p class="legend quiet">{title}: not known of any well here yet</p>;
  return (
    <p class="legend">
      {title}:{" "}
      {legend.names.slice(0, most).map(([name, colour]) => (
        <span key={name} class="name">
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <circle cx={5} cy={5} r={5} fill={colour} />
          </svg>
          {name}
        </span>
      ))}
      {legend.names.length > most && <span class="quiet">and {legend.names.length - most} more</span>}
    </p>
  );
};

const short = (value: number): string => String(Number(value.toPrecision(3)));
