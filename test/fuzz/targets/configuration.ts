/** What users write: the configuration of runs and trainings, tokens, logins. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { packageFile } from "../../../common/package-file.ts";
import { NotAnInput, type Target, text } from "../target.ts";

/** YAML that cannot be parsed is reported by the caller. */
const yaml = (input: Uint8Array): unknown => {
  try {
    return parseYaml(text(input), { logLevel: "silent" });
  } catch {
    throw new NotAnInput();
  }
};

const run = `data: rxrx1
model: models/mine
memoryMiB: 512
stages:
  - decode
  - normalize: { by: plate }
  - use: infer
    options: { statistics: calibrated }
`;

const recipe = `normalize: image
domain: plate
stages:
  - name: first
    epochs: 3
    rate: 0.001
architecture: densenet-small
`;

const token =
  '- {"name":"lab","roles":["predict"],"sha256":"db35342b8f35cdd3595c4fa8a57db26faa439f0ccd8fd6475437b18d764ba743"}\n';

export const configuration: readonly Target[] = [
  {
    name: "run.yaml",
    parsers: ["pipeline/config.ts", "common/schema.ts"],
    seeds: [run, "stages: []\n", "out: a\nworkers: [a, b]\n"],
    words: ["stages", "data", "use", "options", "infer.statistics=batch", "decode", "- ", ": ", "&a", "*a", "<<: "],
    async open() {
      const { parseRunConfig, withSettings } = await import("../../../pipeline/config.ts");
      const { describeOptions } = await import("../../../common/schema.ts");
      const { infer } = await import("../../../stages/infer.ts");
      const { decode } = await import("../../../stages/decode.ts");
      describeOptions(infer.config);
      describeOptions(decode.config);
      return (input) => {
        const config = parseRunConfig(yaml(input), "run.yaml", ["decode", "infer"]);
        withSettings(config.stages, [text(input).split("\n").at(-1)!, `${config.stages[0]!.use}.a=[1]`]);
      };
    },
  },
  {
    name: "recipe",
    parsers: ["training/loop/recipe.ts"],
    seeds: async () => {
      const shipped = ["brodt", "demo"].map((name) => readFile(packageFile(`recipes/${name}.yaml`)));
      return [Buffer.from(recipe), ...(await Promise.all(shipped))];
    },
    words: ["stages", "epochs", "rate", "mixup", "cutmix", "loss", "cosface", "schedule", "warmUp", "averaged"],
    async open() {
      const { parseRecipe } = await import("../../../training/loop/recipe.ts");
      return (input) => parseRecipe(yaml(input), "recipe.yaml");
    },
  },
  {
    name: "tokens",
    parsers: ["common/security/tokens.ts"],
    seeds: [
      token,
      token + token.replace("lab", "other"),
      token.replace('"roles"', '"expires":"2020-01-01T00:00:00Z","roles"'),
    ],
    words: ["name", "roles", "sha256", "expires", "predict", "subscribe", "submit", "Bearer "],
    async open(folder) {
      const { authorise, newToken, readTokens } = await import("../../../common/security/tokens.ts");
      const path = join(folder, "tokens.yaml");
      return async (input) => {
        await writeFile(path, input);
        const entries = await readTokens(path);
        const { token: own, entry } = newToken({ name: entries[0]?.name ?? "a", roles: ["predict"] });
        const role = (["predict", "submit", undefined] as const)[input.length % 3];
        const later = input.length % 2 === 0 ? 0 : Date.now();
        authorise(
          [entry, ...entries],
          input.length % 5 === 0 ? text(input).slice(0, 60) : `Bearer ${own}`,
          role,
          later,
        );
      };
    },
  },
  {
    name: "bus login",
    parsers: [],
    seeds: [
      "user: a\npassword: b\n",
      "token: abc\n",
      "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n",
    ],
    words: ["user", "password", "token", "creds"],
    async open(folder) {
      const { readBusSecurity } = await import("../../../pipeline/bus/nats/security.ts");
      const path = join(folder, "login");
      return async (input) => {
        await writeFile(path, input);
        await readBusSecurity({ busCreds: path });
      };
    },
  },
];
