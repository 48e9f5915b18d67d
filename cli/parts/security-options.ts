/** The options of every command that serves, and of every one that connects, by the same names everywhere. */
import { type Command, Help, Option } from "commander";
import { atLeast } from "./whole-number.ts";

/** A command that does both has the options that they share once. */
const withOptions = (command: Command, options: readonly Option[]): Command => {
  const missing = options.filter(({ long }) => !command.options.some((there) => there.long === long));
  return missing.reduce(
    (so, option) => so.addOption(option.helpGroup("Security:")),
    command.configureHelp(commandsOwnFirst),
  );
};

const commandsOwnFirst: Partial<Help> = {
  groupItems(all, visible, groupOf) {
    const rank = (item: (typeof all)[0]) => (groupOf(item) === "Options:" ? 0 : 1);
    return new Help().groupItems(
      [...all].sort((a, b) => rank(a) - rank(b)),
      visible,
      groupOf,
    );
  },
};

const shared = (): Option[] => [
  new Option("--tls-cert <file>", "certificate of this process (PEM)"),
  new Option("--tls-key <file>", "private key of --tls-cert (PEM)"),
  new Option("--insecure", "allow unencrypted connections with other hosts"),
];

/** Adds what `readBusSecurity` reads. */
export const withBusSecurity = (command: Command): Command =>
  withOptions(command, [
    new Option(
      "--bus-creds <file>",
      "login at the bus: a .creds file of NATS, or YAML with user and password, or token",
    ),
    new Option("--bus-tls-ca <file>", "encrypt, and trust a bus certified by these authorities (PEM)"),
    new Option("--bus-tls-cert <file>", "certificate to show to the bus (PEM)"),
    new Option("--bus-tls-key <file>", "private key of --bus-tls-cert (PEM)"),
  ]);

/** Adds what `readServerSecurity` reads. */
export const withServerSecurity = (command: Command): Command =>
  withOptions(command, [
    ...shared(),
    new Option("--tls-client-ca <file>", "accept only clients certified by these authorities (PEM)"),
    new Option("--tokens <file>", "accept only clients that send one of these tokens, see `pipeline token new`"),
    new Option("--max-message <MiB>", "largest message in either direction").argParser(atLeast(1)).default(256),
    new Option("--max-streams <n>", "calls in progress on one connection; more wait").argParser(atLeast(1)).default(32),
    new Option("--max-calls <n>", "calls in progress of one client; more are refused")
      .argParser(atLeast(1))
      .default(64),
    new Option(
      "--max-call-time <seconds>",
      "how long a call may take, and how long nothing may move on a stream without an end",
    )
      .argParser(atLeast(1))
      .default(600),
    new Option("--max-silence <seconds>", "how long the first message of a call may take to arrive")
      .argParser(atLeast(1))
      .default(60),
  ]);

/** Adds what `readClientSecurity` reads. */
export const withClientSecurity = (command: Command): Command =>
  withOptions(command, [
    ...shared(),
    new Option("--tls-ca <file>", "encrypt, and trust servers certified by these authorities (PEM, or: system)"),
    new Option("--token-file <file>", "token to send (default: environment variable PLATESTREAM_TOKEN)"),
  ]);
