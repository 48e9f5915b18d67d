/**
 * The demo in a browser, as the README starts it: calls appear while it runs. With PLATESTREAM_PICTURES=FOLDER the pictures
 * of the docs are taken on the way.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import type { Page } from "playwright-core";
import { temporaryFolder } from "../kit/experiment.ts";
import { coloured, openBrowser } from "./browser.ts";

const main = join(import.meta.dirname, "../../cli/main.js");

/** Starts a command and waits for a line of JSON that says where the page is. */
const started = async (
  t: TestContext,
  folder: string,
  ...args: string[]
): Promise<{ url: string; child: ChildProcess }> => {
  const child = spawn(process.execPath, [main, ...args, "--json"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let heard = "";
  child.stderr.on("data", (data: Buffer) => {
    heard += data.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    heard += `${line}\n`;
    const url = /"(?:url|detail)":"[^"]*(http:[^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { url, child };
  }
  throw new Error(`${args[0]} did not say where its page is; it said ${heard.slice(-2_000)}`);
};

const picture = async (page: Page, name: string): Promise<void> => {
  const folder = process.env.PLATESTREAM_PICTURES;
  if (folder === undefined) return;
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
};

test("the demo moves in the browser while it runs, and all of it is there when it has ended", {
  timeout: 230_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const { url, child } = await started(t, folder, "start", "--view", "127.0.0.1:0");
  const ended = once(child, "exit");
  const live = await openBrowser(t, url);
  live.page.setDefaultTimeout(120_000);
  await live.page.getByText("running", { exact: true }).last().waitFor();
  await picture(live.page, "overview");
  await live.page.goto(`${url}/#/plates`);
  await live.page.locator(coloured).nth(127).waitFor();
  assert.deepEqual(live.problems(/net::ERR_/), []);
  const [code] = await ended;
  assert.equal(code, 0);

  const run = join(folder, "platestream-demo", "run");
  const view = await started(t, folder, "view", run, "--listen", "127.0.0.1:0");
  const { page, problems } = await openBrowser(t, view.url);
  await page.getByText("complete").waitFor();
  await page.getByText("256 of 256").waitFor();
  await page.goto(`${view.url}/#/plates?experiment=RPE-21&plate=1&well=B03`);
  const panel = page.getByRole("complementary", { name: "well B03" });
  await panel.getByText(/^site 1: /).waitFor();
  await panel.getByText("Most similar wells").waitFor();
  await picture(page, "plates");
  await page.goto(`${view.url}/#/profiles`);
  await page.getByText(/^plate: /).waitFor();
  await page.locator("canvas").first().waitFor();
  await picture(page, "profiles");
  await page.getByRole("combobox", { name: "Map", exact: true }).selectOption("umap");
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await page.goto(`${view.url}/#/accuracy`);
  await page.getByText(/treatment wells whose treatment is known/).waitFor();
  await picture(page, "accuracy");
  assert.deepEqual(problems(), []);
  const closed = once(view.child, "exit");
  view.child.kill("SIGTERM");
  assert.deepEqual(await closed, [0, null]);
});
