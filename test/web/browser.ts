/** A real browser that notices what no page of ours may do: an error, a message, a request to elsewhere. */
import type { TestContext } from "node:test";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { debianProgram } from "../kit/debian.ts";

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors, console messages and foreign requests so far; those that fit `expected` are not counted. */
  problems(expected?: RegExp): string[];
}

export const openBrowser = async (t: Pick<TestContext, "after">, url: string): Promise<Opened> => {
  const executablePath = debianProgram(["/usr/bin/chromium", "chromium"], "--version", "chromium");
  const browser = await chromium.launch({ executablePath, args: quiet, timeout: 60_000 });
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const found: string[] = [];
  page.on("pageerror", ({ message }) => found.push(`error: ${message}`));
  page.on("console", (message) => found.push(`console: ${message.text()}`));
  const { origin } = new URL(url);
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(origin))
      found.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, context, problems: (expected) => found.filter((each) => !(expected?.test(each) ?? false)) };
};

export const coloured = "g.well:not(.empty)";

/** Asks until an expression holds in the page: its policy forbids the browser's own way of waiting for one. */
export const eventually = async (page: Page, expression: string, most = 30_000): Promise<void> => {
  for (const until = Date.now() + most; Date.now() < until; await page.waitForTimeout(10)) {
    if (await page.evaluate<boolean>(expression)) return;
  }
  throw new Error(`it did not come true in ${most} ms: ${expression}`);
};
