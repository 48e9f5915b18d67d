import assert from "node:assert/strict";
import { test } from "node:test";
import { illumination } from "../../stages/illumination.ts";
import { contextFor, imageOf, runStage } from "../kit/context.ts";

const side = 32;
/** Twice as much light at the right as at the left. */
const light = (i: number): number => 1 + (i % side) / (side - 1);

test("illumination - light that falls off within a plate is evened out, each plate by its own", async () => {
  const experiment = { id: "HUVEC-01", cellType: "HUVEC", plates: ["1", "2"], sites: [] };
  const image = (plate: string, site: number, gradient: (i: number) => number) =>
    imageOf(
      { plate, site },
      Uint16Array.from({ length: side * side }, (_, i) => (1000 + ((i * 37 + site * 101) % 50)) * gradient(i)),
    );
  const images = [
    ...[1, 2, 3, 4].map((site) => image("1", site, light)),
    ...[1, 2, 3, 4].map((site) => image("2", site, () => 1)),
  ];
  const out = await runStage<"site-image">(
    illumination,
    { sample: 4, smoothing: 0.1 },
    images,
    contextFor(experiment).context,
  );
  assert.equal(out.length, 8);
  const meanOf = (pixels: Uint8Array | Uint16Array, from: number, to: number) => {
    const chosen = [...pixels].filter((_, i) => i % side >= from && i % side < to);
    return chosen.reduce((sum, value) => sum + value, 0) / chosen.length;
  };
  for (const { pixels, site } of out) {
    const ratio = meanOf(pixels, 28, 32) / meanOf(pixels, 0, 4);
    assert.ok(Math.abs(ratio - 1) < 0.12, `plate ${site.plate}: right to left ${ratio}`);
  }
});
