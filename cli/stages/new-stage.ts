/** What `pipeline stages new` does: a plugin that works, with its test, to be changed. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { PlatestreamError } from "../../common/errors.ts";

const plugin = (
  name: string,
): string => `/** Leaves out sites whose images are darker than a level. Change it into what you need. */
import { defineStage, z } from "platestream/plugin";
import { filter } from "rxjs";

export default defineStage({
  name: "${name}",
  description: "Leaves out sites whose mean grey level is below a limit.",
  input: "site-image",
  output: "site-image",
  config: z.strictObject({
    level: z.number().min(0).default(1).describe("least mean of all pixels, in grey levels"),
  }),
  apply: ({ level }, { leaveOut }) =>
    filter(({ site, pixels, lease }) => {
      let sum = 0;
      for (const value of pixels) sum += value;
      const mean = sum / pixels.length;
      if (mean >= level) return true;
      leaveOut(site, \`the mean is \${mean.toFixed(2)}, below \${level}\`);
      lease.release();
      return false;
    }),
});
`;

const test = (name: string): string => `import assert from "node:assert/strict";
import { test } from "node:test";
import { runStage, testImage, testSite } from "platestream/testing";
import stage from "./${name}.mjs";

test("dark sites are left out, with the reason", async () => {
  const bright = testImage({ pixels: new Uint8Array(64).fill(9) });
  const dark = testImage({ site: testSite({ well: "C07" }) });
  const { output, leftOut } = await runStage(stage, { level: 2 }, [bright, dark]);
  assert.deepEqual(output, [bright]);
  assert.equal(leftOut[0].site.well, "C07");
});
`;

export const newStage = async (name: string): Promise<void> => {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    throw new PlatestreamError(
      "invalid-config",
      `a stage's name is lower-case letters, digits and dashes, not "${name}"`,
    );
  }
  const files = [
    [resolve(`${name}.mjs`), plugin(name)],
    [resolve(`${name}.test.mjs`), test(name)],
  ] as const;
  for (const [path, text] of files) {
    await writeFile(path, text, { flag: "wx" }).catch((cause) => {
      const why = cause.code === "EEXIST" ? "it is there already, and is not overwritten" : cause.message;
      throw new PlatestreamError("invalid-config", `${path} cannot be written: ${why}`, { cause });
    });
  }
  process.stdout.write(
    `${files.map(([path]) => path).join("\n")}\n\n` +
      `pipeline stages test ./${name}.mjs      a few sites through it\n` +
      "node --test                             its test, once platestream and rxjs are installed in the folder\n" +
      `stages: [decode, ./${name}.mjs, …]      in the configuration of a run\n`,
  );
};
