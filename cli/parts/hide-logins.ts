/** Keeps logins in URLs out of lists of processes, such as that of `ps`. */

/** The arguments as others may see them: what stands before the last `@` of a URL may be a login. */
const hideLogins = (args: readonly string[]): string[] =>
  args.map((arg) => arg.replace(/((?:nats|tls):\/\/|--bus=).*@/i, "$1…@"));

/** Lets the system show this process without them. */
export const hideOwnLogins = (): void => {
  const args = process.argv.slice(2);
  const hidden = hideLogins(args);
  if (hidden.some((arg, index) => arg !== args[index])) process.title = ["pipeline", ...hidden].join(" ");
};
