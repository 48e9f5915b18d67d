/** Bundles the page into `dist/web/page`: three scripts, a style sheet, an icon and the index; nothing is loaded from elsewhere. */
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const from = new URL("page/", import.meta.url).pathname;
const to = new URL("../dist/web/page/", import.meta.url).pathname;

await mkdir(to, { recursive: true });
await build({
  entryPoints: [`${from}main.tsx`, `${from}umap-worker.ts`],
  outdir: to,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "linked",
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "icon.svg"]) await copyFile(from + name, to + name);
