/** The sites of a well as pictures: channels in colours over each other, or one by one in grey. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { About, WellRow } from "../protocol.ts";
import { saveCanvas } from "./download.ts";
import { ask } from "./server.ts";

interface Channel {
  readonly shown: boolean;
  readonly colour: string;
  /** Grey levels that are black and white; absent: chosen from the picture. */
  readonly low?: number;
  readonly high?: number;
}

/** Blue is DNA in every screen; the rest as far apart as can be. */
const colours = ["#3f6bff", "#2fd24c", "#ff4040", "#25d7e8", "#ff42e0", "#ffd92f", "#ffffff"];
const most = 65_535;
const settleMs = 120;

export const Pictures = ({ about, row, sites }: { about: About; row: WellRow; sites: readonly number[] }) => {
  const [site, setSite] = useState(sites[0]);
  const [channels, setChannels] = useState<readonly Channel[]>(() =>
    about.channels.map((_, index) => ({ shown: index < 3, colour: colours[index % colours.length]! })),
  );
  const [levels, setLevels] = useState<Readonly<Record<number, readonly [number, number, number]>>>({});
  const [problem, setProblem] = useState<string>();
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    if (site === undefined) return;
    const gone = new AbortController();
    const timer = setTimeout(() => {
      draw(canvas.current!, row, site, channels, gone.signal).then(
        (seen) => {
          if (gone.signal.aborted) return;
          setProblem(undefined);
          setLevels((before) => ({ ...before, ...seen }));
        },
        (error: Error) => {
          if (!gone.signal.aborted) setProblem(error.message);
        },
      );
    }, settleMs);
    return () => {
      clearTimeout(timer);
      gone.abort();
    };
  }, [site, channels]);

  if (site === undefined) return null;
  const change = (index: number, to: Partial<Channel>) =>
    setChannels((before) => before.map((channel, i) => (i === index ? { ...channel, ...to } : channel)));
  return (
    <section class="pictures">
      <h3>Pictures</h3>
      <p class="bar">
        {sites.map((each) => (
          <button key={each} type="button" aria-pressed={each === site} onClick={() => setSite(each)}>
            site {each}
          </button>
        ))}
        <button
          type="button"
          onClick={() =>
            canvas.current && saveCanvas(`${row.experiment} ${row.plate} ${row.well} site ${site}`, canvas.current)
          }
        >
          PNG
        </button>
      </p>
      <canvas ref={canvas} width={256} height={256} aria-label={`site ${site} of well ${row.well}`} role="img" />
      {problem !== undefined && <p class="note">{problem}</p>}
      <ul class="channels">
        {channels.map(({ shown, colour, low, high }, index) => {
          const [seenLow, seenHigh, top] = levels[index] ?? [0, 255, 255];
          const name = about.channels[index]!;
          return (
            <li key={name}>
              <label>
                <input
                  type="checkbox"
                  checked={shown}
                  onChange={({ currentTarget }) => change(index, { shown: currentTarget.checked })}
                />
                <input
                  type="color"
                  value={colour}
                  aria-label={`colour of ${name}`}
                  onInput={({ currentTarget }) => change(index, { colour: currentTarget.value })}
                />
                {name}
              </label>
              <button
                type="button"
                title={`only ${name}`}
                onClick={() =>
                  setChannels((before) => before.map((channel, i) => ({ ...channel, shown: i === index })))
                }
              >
                only
              </button>
              <input
                type="range"
                aria-label={`black of ${name}`}
                min={0}
                max={Math.min(top, most)}
                value={low ?? seenLow}
                onInput={({ currentTarget }) =>
                  change(index, { low: Number(currentTarget.value), high: high ?? seenHigh })
                }
              />
              <input
                type="range"
                aria-label={`white of ${name}`}
                min={1}
                max={Math.min(top, most)}
                value={high ?? seenHigh}
                onInput={({ currentTarget }) =>
                  change(index, { high: Number(currentTarget.value), low: low ?? seenLow })
                }
              />
              <span class="quiet">
                {low ?? seenLow} to {high ?? seenHigh}
              </span>
            </li>
          );
        })}
      </ul>
      <p class="quiet">
        Black and white are grey levels of the file; at first the 0.1 and 99.9 percent points of the picture.
      </p>
    </section>
  );
};

/** Draws the channels that are shown over each other; says which grey levels each was drawn with. */
const draw = async (
  canvas: HTMLCanvasElement,
  row: WellRow,
  site: number,
  channels: readonly Channel[],
  signal: AbortSignal,
) => {
  const shown = channels.flatMap((channel, index) => (channel.shown ? [{ ...channel, index }] : []));
  const { experiment, plate, well } = row;
  const loaded = await Promise.all(
    shown.map(async ({ index, low, high }) => {
      const response = await ask("picture", { experiment, plate, well, site, channel: index, low, high }, signal);
      const [from, to, top] = response.headers.get("x-grey-levels")!.split(" ").map(Number) as [number, number, number];
      return { levels: [from, to, top] as const, bitmap: await createImageBitmap(await response.blob()) };
    }),
  );
  if (signal.aborted) return {};
  const [{ width, height } = canvas] = loaded.map(({ bitmap }) => bitmap);
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  const single = shown.length === 1;
  for (const [i, { bitmap }] of loaded.entries()) {
    const layer = new OffscreenCanvas(width, height);
    const own = layer.getContext("2d")!;
    own.drawImage(bitmap, 0, 0);
    own.globalCompositeOperation = "multiply";
    own.fillStyle = single ? "#fff" : shown[i]!.colour;
    own.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "lighter";
    context.drawImage(layer, 0, 0);
    context.globalCompositeOperation = "source-over";
  }
  return Object.fromEntries(shown.map(({ index }, i) => [index, loaded[i]!.levels]));
};
