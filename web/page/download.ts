/** Pictures and tables as files. */
import type { WellRow } from "../protocol.ts";

const save = (name: string, blob: Blob): void => {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name.replace(/[^\w.+-]+/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
};

const space = "http://www.w3.org/2000/svg";

/** A drawing by itself: what the style sheet of the page would give it is written into it. */
const standalone = (svg: SVGSVGElement): string => {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute("xmlns", space);
  copy.setAttribute("width", String(Math.round(width)));
  copy.setAttribute("height", String(Math.round(height)));
  const from = svg.querySelectorAll("*");
  for (const [index, element] of copy.querySelectorAll("*").entries()) {
    if (element.tagName === "title") continue;
    const style = getComputedStyle(from[index]!);
    for (const name of [
      "fill",
      "stroke",
      "stroke-width",
      "stroke-dasharray",
      "font-size",
      "font-family",
      "text-anchor",
      "dominant-baseline",
    ]) {
      element.setAttribute(name, style.getPropertyValue(name));
    }
    element.removeAttribute("class");
    element.removeAttribute("tabindex");
  }
  return new XMLSerializer().serializeToString(copy);
};

export const saveSvg = (name: string, svg: SVGSVGElement): void =>
  save(`${name}.svg`, new Blob([standalone(svg)], { type: "image/svg+xml" }));

export const saveSvgText = (name: string, text: string): void =>
  save(`${name}.svg`, new Blob([text], { type: "image/svg+xml" }));

/** Twice the size on the page, on the page's own ground. */
export const savePng = async (name: string, svg: SVGSVGElement): Promise<void> => {
  const { width, height } = svg.getBoundingClientRect();
  const url = URL.createObjectURL(new Blob([standalone(svg)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: width * 2, height: height * 2 });
    const context = canvas.getContext("2d")!;
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    await saveCanvas(name, canvas);
  } finally {
    URL.revokeObjectURL(url);
  }
};

export const saveCanvas = (name: string, canvas: HTMLCanvasElement): Promise<void> =>
  new Promise((resolve) => {
    canvas.toBlob((blob) => {
      if (blob !== null) save(`${name}.png`, blob);
      resolve();
    });
  });

const cell = (value: unknown): string => {
  const text = value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const saveTable = (name: string, header: readonly string[], rows: Iterable<readonly unknown[]>): void => {
  const lines = [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`);
  save(`${name}.csv`, new Blob(lines, { type: "text/csv" }));
};

/** The wells, a row each, with every column of the dataset's own. */
export const saveWells = (name: string, wells: readonly WellRow[]): void => {
  const metadata = [...new Set(wells.flatMap((row) => Object.keys(row.metadata)))];
  const header = [
    "experiment",
    "plate",
    "well",
    "well_type",
    "treatment",
    "call",
    "probability",
    "confidence",
    "margin",
    "strategy",
    "flags",
    "reasons",
  ];
  saveTable(
    name,
    [...header, ...metadata.map((each) => `metadata_${each}`)],
    wells.map((row) => [
      row.experiment,
      row.plate,
      row.well,
      row.wellType,
      row.treatment,
      row.call,
      row.probability,
      row.confidence,
      row.margin,
      row.strategy,
      row.flags.join(" "),
      row.reasons.join("; "),
      ...metadata.map((each) => row.metadata[each]),
    ]),
  );
};
