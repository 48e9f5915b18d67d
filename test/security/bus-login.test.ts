import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { nkeys } from "@nats-io/transport-node";
import { connectNats, type OnConnection, parseBusUrl } from "../../pipeline/bus/nats/connection.ts";
import { type BusSecurityOptions, readBusSecurity } from "../../pipeline/bus/nats/security.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { newAuthority } from "./certificates.ts";
import { startConfigured } from "./configured-nats-server.ts";

/** Connects and leaves again. */
const connectTo = async (url: string, options: BusSecurityOptions = {}): Promise<string> => {
  const security = await readBusSecurity(options);
  const { nc } = await connectNats(parseBusUrl(url), "test", () => {}, security);
  const server = nc.getServer();
  await nc.close();
  return server;
};

const fileWith = async (t: TestContext, text: string): Promise<string> => {
  const path = join(await temporaryFolder(t), "login");
  await writeFile(path, text);
  return path;
};

const unauthenticated = /\[unauthenticated\] the NATS server at .* refuses this login/;

test("bus login - a token, from a file or the URL", async (t) => {
  const { address } = await startConfigured(t, () => "authorization { token: s3cret }");
  await connectTo(`nats://${address}`, { busCreds: await fileWith(t, "token: s3cret\n") });
  await connectTo(`nats://s3cret@${address}`);
  await assert.rejects(connectTo(`nats://${address}`), unauthenticated);
  await assert.rejects(connectTo(`nats://guess@${address}`), unauthenticated);
});

test("bus login - user and password, where the file counts before the URL", async (t) => {
  const { address } = await startConfigured(t, () => 'authorization { user: me, password: "12 34" }');
  const busCreds = await fileWith(t, '{"user": "me", "password": "12 34"}');
  await connectTo(`nats://${address}`, { busCreds });
  await connectTo(`nats://me:guess@${address}`, { busCreds });
  await connectTo(`nats://me:12%2034@${address}`);
  await assert.rejects(connectTo(`nats://me:guess@${address}`), unauthenticated);
});

test("bus login - one that is taken back while it is used is reported once, and works again when it is given back", async (t) => {
  const config = (user: string) => `authorization { user: ${user}, password: secret }`;
  const { address, reload } = await startConfigured(t, () => config("me"));
  const reported: string[] = [];
  const onConnection: OnConnection = (state, detail) => void reported.push(`${state}: ${detail}`);
  const { nc } = await connectNats(parseBusUrl(`nats://me:secret@${address}`), "test", onConnection);
  t.after(() => nc.close());
  await reload(config("another"));
  while (!reported.some((line) => line.includes("refuses"))) await sleep(10);
  await sleep(1_500);
  await reload(config("me"));
  while (!reported.at(-1)?.startsWith("ready")) await sleep(10);
  assert.deepEqual(reported.toSorted(), [
    `lost: ${address} refuses this login (Authorization Violation); trying again`,
    `lost: lost ${address}; waiting for it`,
    `ready: connected to ${address} again`,
  ]);
  await nc.flush();
});

test("bus login - a .creds file of a NATS operator", async (t) => {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const name = (key: nkeys.KeyPair) => key.getPublicKey();
  const jwt = (by: nkeys.KeyPair, sub: string, nats: object): string => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { jti: "A", iat: Math.floor(Date.now() / 1000), iss: name(by), name: "test", sub };
    const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode({ ...claims, nats: { version: 2, ...nats } })}`;
    return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString("base64url")}`;
  };
  const unlimited = { subs: -1, data: -1, payload: -1 };
  const accountLimits = { ...unlimited, imports: -1, exports: -1, conn: -1, leaf: -1 };
  const accountJwt = jwt(operator, name(account), { type: "account", limits: accountLimits });
  const { address } = await startConfigured(
    t,
    () => `operator: "${jwt(operator, name(operator), { type: "operator" })}"
resolver: MEMORY
resolver_preload: { ${name(account)}: "${accountJwt}" }`,
  );
  const credsOf = (key: nkeys.KeyPair) => {
    const seed = Buffer.from(key.getSeed()).toString();
    return `-----BEGIN NATS USER JWT-----
${jwt(account, name(user), { type: "user", ...unlimited })}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`;
  };
  await connectTo(`nats://${address}`, { busCreds: await fileWith(t, credsOf(user)) });
  const thief = await fileWith(t, credsOf(nkeys.createUser()));
  await assert.rejects(connectTo(`nats://${address}`, { busCreds: thief }), unauthenticated);
  await assert.rejects(connectTo(`nats://${address}`), unauthenticated);
});

test("bus TLS - the server must be certified, and so must its client where it asks for that", async (t) => {
  const [lab, stranger] = [await newAuthority(t, "Lab"), await newAuthority(t, "Stranger")];
  const server = await lab.certify("bus");
  const tls = (more: string) => `tls { cert_file: "${server.cert}", key_file: "${server.key}", ${more} }`;
  const { address: open } = await startConfigured(t, () => tls(""));
  await connectTo(`nats://${open}`, { busTlsCa: lab.ca });
  await connectTo(`tls://${open}`, { busTlsCa: lab.ca });
  const refused = /\[bus-unavailable\] .*certificate/;
  await assert.rejects(connectTo(`tls://${open}`), refused);
  await assert.rejects(connectTo(`tls://${open}`, { busTlsCa: stranger.ca }), refused);

  const { address: mutual } = await startConfigured(t, () => tls(`ca_file: "${lab.ca}", verify: true`));
  const known = await lab.certify("node");
  await connectTo(`tls://${mutual}`, { busTlsCa: lab.ca, busTlsCert: known.cert, busTlsKey: known.key });
  const other = await stranger.certify("node");
  const without = [{}, { busTlsCert: other.cert, busTlsKey: other.key }].map((options) =>
    assert.rejects(
      connectTo(`tls://${mutual}`, { busTlsCa: lab.ca, ...options }),
      /\[bus-unavailable\] .*Does it ask for a certificate, as with --bus-tls-cert FILE\?/,
    ),
  );
  await Promise.all(without);
});

test("bus login - a file that holds none is refused, and not repeated", async (t) => {
  for (const text of ["s3cret", "user: s3cret", "token: ''", "{user: s3cret, password: x, more: y}", "[s3cret"]) {
    await assert.rejects(readBusSecurity({ busCreds: await fileWith(t, text) }), (error: Error) => {
      assert.match(error.message, /\[invalid-config\] --bus-creds .* must be a \.creds file of NATS, or YAML/);
      assert.ok(!`${error.message}${String(error.cause)}`.includes("s3cret"), error.message);
      return true;
    });
  }
  await assert.rejects(readBusSecurity({ busCreds: "/no/such" }), /--bus-creds \/no\/such cannot be read/);
  await assert.rejects(readBusSecurity({ busTlsKey: "/no/such" }), /--bus-tls-key needs --bus-tls-cert/);
});
