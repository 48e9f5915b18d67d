import { Command, Option } from "commander";
import type { Role } from "../../common/security/tokens.ts";

interface NewTokenOptions {
  readonly name: string;
  readonly role: Role[];
  readonly expires?: string;
  readonly json?: boolean;
}

const roles: readonly Role[] = ["predict", "subscribe", "submit"];

/** `pipeline token`: tokens for clients of workers and of results. */
export const command = (): Command =>
  new Command("token")
    .description("make tokens that open a worker or a stream of results")
    .addCommand(newCommand())
    .addHelpText(
      "after",
      `
Examples:
  pipeline token new --name lab-3 --role predict`,
    );

const newCommand = (): Command =>
  new Command("new")
    .description("make a token: show it once, and the line that a server's --tokens file needs for it")
    .requiredOption("-n, --name <name>", "who will have it; appears in errors and logs")
    .addOption(
      new Option("-r, --role <role...>", "what it opens, see below; one or several")
        .choices(roles)
        .makeOptionMandatory(),
    )
    .option("--expires <date>", "from when on it is refused, as in 2027-01-31 or 2027-01-31T18:00:00Z (default: never)")
    .option("--json", "write both as one line of JSON")
    .addHelpText(
      "after",
      `
Roles: predict (all calls of a worker), subscribe (results), submit (experiments).

Examples:
  pipeline token new --name "screening lab" --role predict subscribe
  pipeline token new --name dashboard --role subscribe --expires 2027-01-31

The server keeps a hash of it only; whoever has the token sends it as \`authorization: Bearer TOKEN\`, this program with
--token-file FILE or the environment variable PLATESTREAM_TOKEN.`,
    )
    .action(async ({ name, role, expires, json }: NewTokenOptions) => {
      const { newToken } = await import("../../common/security/tokens.ts");
      const { token, entry } = newToken({ name, roles: role, ...(expires === undefined ? {} : { expires }) });
      const line = `- ${JSON.stringify(entry)}`;
      process.stdout.write(
        json
          ? `${JSON.stringify({ token, entry })}\n`
          : `token, shown only now:\n${token}\nline for the file that the server's --tokens names:\n${line}\n`,
      );
    });
