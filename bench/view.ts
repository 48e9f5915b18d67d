/** The plate map with 100,000 wells in a real browser. */
import type { BusEvent } from "../pipeline/events/event.ts";
import { eventually, openBrowser } from "../test/web/browser.ts";
import type { Snapshot } from "../web/protocol.ts";
import { openView } from "../web/server/open-view.ts";
import { openStoreSource } from "../web/server/sources/store.ts";
import type { Bench } from "./figure.ts";

const experiments = 64;
const plates = 4;
const rows = "ABCDEFGHIJKLMNOPQRST".slice(0, 17);
const columns = 23;
const aims = { "view.first-paint": 1_000, "view.filter": 100, "view.plate": 1_000 } as const;

/** Every well of the screen, called. */
function* calls(): Generator<BusEvent> {
  for (let e = 1; e <= experiments; e++) {
    for (let plate = 1; plate <= plates; plate++) {
      for (const row of rows) {
        for (let column = 1; column <= columns; column++) {
          const treatment = String((e * 31 + plate * 7 + column * row.charCodeAt(0)) % 1_108);
          yield {
            kind: "call",
            experiment: `HUVEC-${e}`,
            cellType: "HUVEC",
            node: "node-1",
            at: "2026-01-01T00:00:00.000Z",
            plate: String(plate),
            well: `${row}${String(column).padStart(2, "0")}`,
            treatment,
            probability: (column % 10) / 10,
            margin: 0.1,
            alternatives: [],
            strategy: "argmax",
            flags: [],
            model: "m 1",
            statistics: "batch",
          } as BusEvent;
        }
      }
    }
  }
}

export const view: Bench = {
  name: "view",
  description:
    "the plate map with 100,000 wells in headless Chromium: first row, a filter, an experiment's plates; ms, at most the reference",
  async run(report, log) {
    const total = experiments * plates * rows.length * columns;
    const events = {
      async *follow() {
        let seq = 0;
        for (const value of calls()) yield { seq: ++seq, value };
      },
    };
    const closing: (() => unknown)[] = [];
    const { url, close } = await openView({
      source: openStoreSource({ name: "bench", events }),
      listen: "127.0.0.1:0",
      identity: undefined,
      insecure: false,
      tokens: undefined,
      onProblem: (problem) => log(String(problem)),
    });
    closing.push(close);
    try {
      const loaded = async () => ((await (await fetch(`${url}/api/screen`)).json()) as Snapshot).wells.count;
      while ((await loaded()) < total) await new Promise((resolve) => setTimeout(resolve, 500));
      const { page } = await openBrowser(
        { after: (fn: () => unknown) => void closing.push(fn) } as never,
        "about:blank",
      );
      const measure = async (figure: keyof typeof aims, work: () => Promise<unknown>) => {
        const started = performance.now();
        await work();
        const value = performance.now() - started;
        report({ figure, value, unit: "ms", reference: aims[figure], ratio: value / aims[figure] });
      };
      const found = (text: string) =>
        eventually(page, `document.getElementById("found")?.textContent.startsWith(${JSON.stringify(text)}) === true`);
      await measure("view.first-paint", async () => {
        await page.goto(`${url}/#/wells`, { waitUntil: "commit" });
        await found(total.toLocaleString("en"));
      });
      await measure("view.filter", async () => {
        await page.getByRole("searchbox").fill("HUVEC-33");
        await found((plates * rows.length * columns).toLocaleString("en"));
      });
      await measure("view.plate", async () => {
        await page.goto(`${url}/#/plates?experiment=HUVEC-40`);
        await eventually(page, `document.querySelectorAll("g.well").length === ${plates * rows.length * columns}`);
      });
    } finally {
      for (const each of closing.reverse()) await each();
    }
  },
};
