/** What `pipeline data verify` does. */
import { openDataset } from "../../datasets/open.ts";
import { kindOf, listByKind, type Problem, sentenceOf, shownOfAKind } from "../../datasets/problems.ts";
import { type FileProblem, verifyDataset } from "../../datasets/verify.ts";
import { describeFrame } from "../../screen/read-site.ts";
import { type DatasetOptions, openOptionsOf } from "../parts/dataset-options.ts";
import { interruptible } from "../parts/interruptible.ts";
import { progressLine } from "../terminal/progress-line.ts";

export interface VerifyOptions extends DatasetOptions {
  readonly headersOnly?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Returns the exit code: 0 for a dataset without problems, 2 for one with any. */
export const verifyData = async (dir: string, options: VerifyOptions): Promise<number> => {
  const rows: Problem[] = [];
  const dataset = await openDataset(dir, {
    ...openOptionsOf(options),
    onProblems: (problems) => void rows.push(...problems),
  });
  const line = progressLine("sites", process.stderr);
  const { drain, close } = interruptible(() => undefined);
  try {
    const verification = await verifyDataset(dataset, {
      signal: drain,
      decode: !options.headersOnly,
      onProgress: ({ sites, all }) => line.next(sites, all),
    });
    line.close();
    const { layout, root, notes } = dataset;
    const { sites, files, image, problems } = verification;
    const bad = rows.length + problems.length;
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ layout, root, notes, rows, ...verification })}\n`);
    } else {
      const count = `${sites} sites, ${files} files${image === undefined ? "" : `, ${describeFrame(image)}`}`;
      const most = options.all ? Number.POSITIVE_INFINITY : shownOfAKind;
      const verdict = bad === 0 ? "no problems" : bad === 1 ? "1 problem:" : `${bad.toLocaleString("en")} problems:`;
      const found = [
        ...listByKind(rows, kindOf, sentenceOf, most),
        ...listByKind(problems, ({ problem }) => problem, sentence, most),
      ].map((each) => `  - ${each}`);
      const hint = found.length < bad ? ["(--all lists every one)"] : [];
      const noted = notes.map((note) => `note: ${note}`);
      process.stdout.write(`${[...noted, `${root}: ${count}; ${verdict}`, ...found, ...hint].join("\n")}\n`);
    }
    return bad === 0 ? 0 : 2;
  } finally {
    line.close();
    close();
  }
};

const sentence = ({ experiment, plate, well, site, path, problem }: FileProblem): string =>
  `${experiment} plate ${plate} well ${well} site ${site}: ${path}: ${problem}`;
