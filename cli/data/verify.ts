/** What `pipeline data verify` does. */
import { openDataset } from "../../datasets/open.ts";
import { type FileProblem, verifyDataset } from "../../datasets/verify.ts";
import { describeFrame } from "../../screen/read-site.ts";
import { interruptible } from "../shared/interruptible.ts";
import type { LayoutChoice } from "../shared/layout-option.ts";
import { progressLine } from "../terminal/progress-line.ts";

interface VerifyOptions {
  readonly layout: LayoutChoice;
  readonly headersOnly?: boolean;
  readonly json?: boolean;
}

/** Returns the exit code: 0 for a dataset without problems, 2 for one with any. */
export const verifyData = async (dir: string, { layout, headersOnly, json }: VerifyOptions): Promise<number> => {
  const rows: string[] = [];
  const dataset = await openDataset(dir, {
    layout,
    onProblems: (problems) => void rows.push(...problems),
  });
  const line = progressLine("sites", process.stderr);
  const { drain, close } = interruptible(() => undefined);
  try {
    const verification = await verifyDataset(dataset, {
      signal: drain,
      decode: !headersOnly,
      onProgress: ({ sites, all }) => line.next(sites, all),
    });
    line.close();
    const { sites, files, image, problems } = verification;
    const bad = rows.length + problems.length;
    if (json) {
      process.stdout.write(
        `${JSON.stringify({ layout: dataset.layout, root: dataset.root, rows, ...verification })}\n`,
      );
    } else {
      const count = `${sites} sites, ${files} files${image === undefined ? "" : `, ${describeFrame(image)}`}`;
      const verdict = bad === 0 ? "no problems" : bad === 1 ? "1 problem:" : `${bad} problems:`;
      const lines = [...rows, ...problems.map(sentence)].map((each) => `  - ${each}`);
      process.stdout.write(`${[`${dataset.root}: ${count}; ${verdict}`, ...lines].join("\n")}\n`);
    }
    return bad === 0 ? 0 : 2;
  } finally {
    line.close();
    close();
  }
};

const sentence = ({ experiment, plate, well, site, path, problem }: FileProblem): string =>
  `${experiment} plate ${plate} well ${well} site ${site}: ${path === undefined ? "" : `${path}: `}${problem}`;
