/** The options of every command that serves, and of every one that connects, by the same names everywhere. */
import { type Command, Option } from "commander";
import { atLeast } from "./whole-number.ts";

const group = "Security:";

const withOptions = (command: Command, options: readonly Option[]): Command =>
  options.reduce((so, option) => so.addOption(option.helpGroup(group)), command);

/** Adds what `readServerSecurity` reads. */
export const withServerSecurity = (command: Command): Command =>
  withOptions(command, [
    tlsCert(),
    tlsKey(),
    new Option("--tls-client-ca <file>", "let only clients in that these authorities have certified (PEM)"),
    new Option("--tokens <file>", "let only clients in that send one of these tokens, see `pipeline token new`"),
    new Option("--insecure", "allow addresses that other hosts can reach although nothing is encrypted"),
    new Option("--max-message <MiB>", "largest message in either direction").argParser(atLeast(1)).default(256),
    new Option("--max-streams <n>", "calls under way on one connection; more wait").argParser(atLeast(1)).default(100),
    new Option("--max-calls <n>", "calls under way of one client; more are refused").argParser(atLeast(1)).default(256),
    new Option("--max-call-time <seconds>", "how long a call may take; streams without an end are exempt")
      .argParser(atLeast(1))
      .default(600),
  ]);

const tlsCert = () => new Option("--tls-cert <file>", "certificate of this process (PEM), encrypts what it serves");
const tlsKey = () => new Option("--tls-key <file>", "private key of --tls-cert (PEM)");
