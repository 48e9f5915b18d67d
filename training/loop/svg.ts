/** The strokes that pictures of trainings are drawn with. */

export type Point = readonly [x: number, y: number];

export const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** One point alone is a dot. */
export const line = (points: readonly Point[], colour: string): string =>
  points.length === 0
    ? ""
    : `<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" points="${points
        .map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`)
        .join(
          " ",
        )}"/>${points.length === 1 ? `<circle cx="${points[0]![0]}" cy="${points[0]![1]}" r="3" fill="${colour}"/>` : ""}`;

export const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;

/** A line across, with what it stands for at its left. */
export const gridLine = (from: number, to: number, y: number, label: string): string =>
  `<line x1="${from}" x2="${to}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="#e5e7eb"/>` +
  text(from - 8, y + 4, label, 'text-anchor="end"');

/** A white sheet with a title; `parts` go on it. */
export const sheet = (width: number, height: number, title: string, at: number, parts: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#374151">`,
    `<title>${escaped(title)}</title>`,
    '<rect width="100%" height="100%" fill="white"/>',
    text(at, 24, title, 'font-size="16" font-weight="600" fill="#111827"'),
    ...parts,
    "</svg>\n",
  ].join("\n");
