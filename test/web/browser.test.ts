/** The plate map in a real browser: a run from its first to its last call, and what people do with it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "csv-parse/sync";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { openLink } from "../faults/cut-link.ts";
import { coloured, eventually, openBrowser } from "./browser.ts";
import { makeScreen, serveScreen, wellNames } from "./screen.ts";

const limit = { timeout: 120_000 };

/** Sum of all colours of the picture, in the browser. */
const lightOfCanvas = `(() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, i) => sum + (i % 4 === 3 ? 0 : value), 0);
})()`;

test("a run is followed from its first to its last call, through a connection that is lost", limit, async (t) => {
  const screen = await makeScreen(t);
  const { url } = await serveScreen(t, screen);
  const link = await openLink(new URL(url).host);
  t.after(() => link.close());
  const { page, problems } = await openBrowser(t, `http://${link.address}`);
  await page.getByText("listed").waitFor();
  await screen.state("queued");
  await screen.state("running");
  await page.getByText("running", { exact: true }).last().waitFor();
  await page.getByRole("link", { name: "Plates", exact: true }).click();
  await page.locator("g.well").nth(9).waitFor();
  assert.equal(await page.locator(coloured).count(), 0);

  const before = performance.now();
  await screen.call("1", "B02", "t0");
  await page.locator(coloured).first().waitFor();
  t.diagnostic(`a well has its colour ${Math.round(performance.now() - before)} ms after its call`);
  await screen.call("1", "B03", "t3", 0.2);
  await page.locator(coloured).nth(1).waitFor();

  link.cut();
  await page.getByText("connection lost").waitFor();
  for (const well of wellNames.slice(2)) await screen.call("1", well, "t2");
  link.mend();
  await page.locator(coloured).nth(4).waitFor();
  for (const well of wellNames) await screen.call("2", well, "t1");
  await page.locator(coloured).nth(9).waitFor();
  assert.equal(await page.locator("g.well").count(), 10);
  await screen.state("done");
  screen.events.end();
  await page.getByText("complete").waitFor();
  await page.getByText("10 of 10 wells called").waitFor();
  assert.deepEqual(problems(/net::ERR_/), []);
});

test("a plate by its keys, a well's pictures, a filter, downloads, and a link that leads back", limit, async (t) => {
  const screen = await makeScreen(t);
  for (const [index, well] of wellNames.entries())
    await screen.call("1", well, `t${index === 1 ? 3 : index}`, 0.1 + 0.2 * index);
  const { url } = await serveScreen(t, screen);
  const { page, problems } = await openBrowser(t, `${url}/#/plates?experiment=HUVEC-01`);
  const plate = page.getByRole("application", { name: /plate 1/ });
  await page.locator(coloured).nth(4).waitFor();

  await plate.focus();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
  await page.getByRole("complementary", { name: "well C03" }).waitFor();
  await page.keyboard.press("ArrowUp");
  const panel = page.getByRole("complementary", { name: "well B03" });
  await panel.getByText("not as in the layout").waitFor();
  assert.match(page.url(), /#\/plates\?experiment=HUVEC-01&plate=1&well=B03$/);
  await eventually(page, "document.querySelector('canvas')?.width === 16");
  const bright = await page.evaluate<number>(lightOfCanvas);
  assert.ok(bright > 0);
  await page.getByLabel("white of DNA").fill("60000");
  await eventually(page, `${lightOfCanvas} < ${bright}`);

  await page.keyboard.press("Escape");
  await page.locator("figure.plate").first().getByRole("button", { name: "SVG" }).focus();
  const [svg] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  const drawn = await readFile(await svg.path(), "utf8");
  assert.equal(svg.suggestedFilename(), "HUVEC-01_plate_1.svg");
  assert.match(drawn, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.equal(drawn.match(/<title>/g)?.length, 5);

  await page.getByRole("combobox", { name: "Colour", exact: true }).selectOption("metadata-Dose");
  await page.getByText(/^Dose: 0/).waitFor();

  await page.getByRole("link", { name: "Wells", exact: true }).click();
  await page.getByRole("searchbox").fill("wrong");
  await page.getByText("1 of 10 wells").waitFor();
  const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  const rows = parse(await readFile(await csv.path(), "utf8"), { columns: true }) as Record<string, string>[];
  assert.deepEqual(
    rows.map(({ well, treatment, call, metadata_Dose }) => [well, treatment, call, metadata_Dose]),
    [["B03", "t1", "t3", "0.5"]],
  );
  await page.goto(`${url}/#/plates?experiment=HUVEC-01&plate=1&well=B03`);
  await page.getByRole("complementary", { name: "well B03" }).waitFor();
  await page.getByRole("link", { name: "Accuracy", exact: true }).click();
  await page.getByText("4 treatment wells whose treatment is known").waitFor();
  await page.locator("canvas").first().waitFor();
  assert.deepEqual(problems(/willReadFrequently/), []);
});

test("names that are programs stay names", limit, async (t) => {
  const hostile = [
    "<img src=x onerror=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "javascript:window.hacked=1",
    "__proto__",
    '"><svg onload=window.hacked=1>',
  ];
  const plates = ["<b>1</b>", "constructor"];
  const screen = await makeScreen(t, "<i>E</i>", plates, hostile);
  for (const [index, well] of wellNames.entries()) await screen.call(plates[0]!, well, hostile[4 - index]!);
  const { url } = await serveScreen(t, screen);
  const { page, problems } = await openBrowser(t, url);
  await page.getByText("<i>E</i>").first().waitFor();
  await page.getByRole("link", { name: "Plates", exact: true }).click();
  await page.locator(coloured).nth(4).waitFor();
  await page.getByText("<b>1</b>").first().waitFor();
  await page.getByRole("combobox", { name: "Colour", exact: true }).selectOption("call");
  await page.locator(".legend").getByText(hostile[0]!, { exact: true }).waitFor();
  await page.locator("g.well").first().click();
  await page.getByRole("complementary").getByText(hostile[4]!).first().waitFor();
  await page.getByRole("link", { name: "Wells", exact: true }).click();
  await page.getByRole("cell", { name: hostile[1]! }).first().waitFor();
  await page.getByRole("link", { name: "Accuracy", exact: true }).click();
  await page.getByRole("cell", { name: "__proto__" }).first().waitFor();
  await page.mouse.move(300, 260);
  assert.equal(await page.evaluate("window.hacked"), undefined);
  assert.deepEqual(problems(/willReadFrequently/), []);
});

test("a server that wants a token gets one in a form, and from then on all is there", limit, async (t) => {
  const { createHash } = await import("node:crypto");
  const screen = await makeScreen(t);
  const sha256 = createHash("sha256").update("right").digest("hex");
  const { url } = await serveScreen(t, screen, { tokens: () => [{ name: "reader", roles: ["subscribe"], sha256 }] });
  const { page, problems } = await openBrowser(t, url);
  await page.getByLabel(/wants a token/).fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("a token is needed").waitFor();
  await page.getByLabel(/wants a token/).fill("right");
  await page.keyboard.press("Enter");
  await page.getByText("HUVEC-01").first().waitFor();
  assert.deepEqual(problems(/status of 401/), []);
});

/** Of the whole page as it is seen, 0 black to 255 white. */
const brightness = async (page: Page): Promise<number> => {
  const { channels } = await sharp(await page.screenshot())
    .greyscale()
    .stats();
  return channels[0]!.mean;
};

test(
  "a plate in the dark, in the light and on paper: the same wells, without what is for clicking",
  limit,
  async (t) => {
    const screen = await makeScreen(t);
    for (const well of wellNames) await screen.call("1", well, "t2");
    const { url } = await serveScreen(t, screen);
    const { page, problems } = await openBrowser(t, `${url}/#/plates?experiment=HUVEC-01`);
    await page.locator(coloured).nth(4).waitFor();
    const colours = () =>
      page.evaluate<string[]>(
        `[...document.querySelectorAll("${coloured} > *")].map((each) => getComputedStyle(each).fill)`,
      );
    const light = await colours();
    await page.emulateMedia({ colorScheme: "light" });
    const day = await brightness(page);
    await page.emulateMedia({ colorScheme: "dark" });
    const night = await brightness(page);
    assert.ok(day > 220 && night < 60, `brightness by day ${day}, by night ${night}`);
    assert.deepEqual(await colours(), light);
    await page.getByRole("combobox", { name: "Colours of the page" }).selectOption("dark");
    await page.emulateMedia({ media: "print", colorScheme: "light" });
    const paper = await brightness(page);
    assert.ok(paper > 220, `brightness on paper ${paper}, although the page is set to dark`);
    assert.deepEqual(await colours(), light);
    await page.getByText("Plate 1").first().waitFor();
    for (const hidden of [
      page.getByRole("link", { name: "Wells", exact: true }),
      page.getByRole("button", { name: "SVG" }).first(),
    ])
      assert.equal(await hidden.isVisible(), false);
    assert.deepEqual(problems(), []);
  },
);
