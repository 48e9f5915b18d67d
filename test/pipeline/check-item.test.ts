import assert from "node:assert/strict";
import { test } from "node:test";
import { itemProblem } from "../../pipeline/stage/check-item.ts";
import type { Port } from "../../pipeline/stage/stage.ts";

const site = { experiment: "HUVEC-01", plate: "1", well: "B02", images: [] };
const image = { site, lease: {}, channels: 1, height: 2, width: 2, pixels: new Uint8Array(4) };
const floats = new Float32Array(1);
const prediction = { plate: "1", well: "B02", model: {}, probabilities: floats, features: floats };
const items: Partial<Record<Port, Record<string, unknown>>> = {
  site,
  "site-image": image,
  batch: { domain: "plate 1", images: [image, image] },
  "site-prediction": { site, model: {}, logits: floats, features: floats },
  "well-prediction": prediction,
  call: { prediction, treatment: "a", probability: 0.5, margin: 0.1, flags: [] },
};

test("what a port carries has no problem; without any of its fields, or of those within, it is told which", () => {
  for (const [port, item] of Object.entries(items) as [Port, Record<string, unknown>][]) {
    assert.equal(itemProblem(port, item), undefined, port);
    for (const [field, value] of Object.entries(item)) {
      if (["experiment", "channels", "height", "width"].includes(field)) continue;
      assert.match(itemProblem(port, { ...item, [field]: undefined }) ?? "", new RegExp(`the ${field} of "${port}"`));
      for (const inner of Object.keys([value].flat()[0] ?? {}).filter((name) =>
        ["well", "pixels", "plate"].includes(name),
      )) {
        const broken = Object.assign({}, [value].flat()[0], { [inner]: undefined });
        const problem = itemProblem(port, { ...item, [field]: Array.isArray(value) ? [...value, broken] : broken });
        assert.match(
          problem ?? "",
          new RegExp(`the ${inner} of ".*as the ${field} of "${port}"`),
          `${port} ${field} ${inner}`,
        );
      }
    }
  }
});

test("what is no object, or has too few pixels, is told as it was given", () => {
  assert.equal(itemProblem("call", null), '"call" carries objects, it gave null');
  assert.equal(itemProblem("site", "text"), '"site" carries objects, it gave "text"');
  assert.match(
    itemProblem("site-image", { ...image, width: 3 })!,
    /as many as channels x height x width, it gave Uint8Array of 4/,
  );
});
