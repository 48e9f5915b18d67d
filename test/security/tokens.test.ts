import assert from "node:assert/strict";
import { unwatchFile } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { authorise, followTokens, newToken, readTokens, type TokenEntry } from "../../common/security/tokens.ts";
import { temporaryFolder } from "../kit/experiment.ts";

const write = async (t: TestContext, text: string): Promise<string> => {
  const path = join(await temporaryFolder(t), "tokens.yaml");
  await writeFile(path, text);
  return path;
};

const lab = newToken({ name: "lab", roles: ["predict"] });
const viewer = newToken({ name: "viewer", roles: ["subscribe"], expires: "2030-01-31" });
const entries: readonly TokenEntry[] = [lab.entry, viewer.entry];

test("a token file is a list in YAML or JSON", async (t) => {
  const yaml = entries.map((entry) => `- ${JSON.stringify(entry)}\n`).join("");
  assert.deepEqual(await readTokens(await write(t, yaml)), entries);
  assert.deepEqual(await readTokens(await write(t, JSON.stringify(entries))), entries);
  const digits = "1".repeat(64);
  const [entry] = await readTokens(
    await write(t, `- {name: 7, roles: [submit], sha256: ${digits}, expires: 2027-01-31}`),
  );
  assert.deepEqual(entry, { name: "7", roles: ["submit"], sha256: digits, expires: "2027-01-31" });
});

test("a token file that is wrong says where, and repeats none of it", async (t) => {
  const cases: [string, RegExp][] = [
    [
      `- {name: lab, roles: [rule], sha256: ${lab.token}}`,
      /entry 1 roles 1: .*"predict".*entry 1 sha256: expected 64 hexadecimal digits/s,
    ],
    [`- {name: lab, roles: [predict], token: ${lab.token}}`, /entry 1 sha256: .*Unrecognized key: "token"/s],
    [`- ${JSON.stringify({ ...lab.entry, expires: "soon" })}`, /entry 1 expires: expected a date/],
    [`- ${JSON.stringify(lab.entry)}\n- ${JSON.stringify(lab.entry)}`, /expected every name once/],
    [`tokens: ${lab.token}`, /expected a list of tokens/],
    [`[${lab.token}`, /is neither YAML nor JSON/],
  ];
  for (const [text, expected] of cases) {
    await assert.rejects(readTokens(await write(t, text)), (error: Error) => {
      assert.match(error.message, /^\[invalid-config\] --tokens /);
      assert.match(error.message, expected);
      assert.ok(!error.message.includes(lab.token));
      assert.ok(!String(error.cause).includes(lab.token));
      return true;
    });
  }
  await assert.rejects(readTokens("/no/such/file"), /\[invalid-config\] --tokens \/no\/such\/file cannot be read/);
});

test("a token file that changes is read again; one that is wrong by then changes nothing and is reported", async (t) => {
  const path = await write(t, `- ${JSON.stringify(lab.entry)}`);
  t.after(() => unwatchFile(path));
  const problems: string[] = [];
  const tokens = await followTokens(path, ({ message }) => problems.push(message), 20);
  assert.deepEqual(tokens(), [lab.entry]);
  await writeFile(path, "- nonsense");
  while (problems.length === 0) await sleep(10);
  assert.match(problems[0]!, /\[invalid-config\] --tokens .* must be a list of entries/);
  assert.deepEqual(tokens(), [lab.entry]);
  await writeFile(path, `- ${JSON.stringify(viewer.entry)}\n`);
  while (tokens()[0]?.name === "lab") await sleep(10);
  assert.deepEqual(tokens(), [viewer.entry]);
});

for (const [what, change] of [
  ["deleted", (path: string) => rm(path)],
  ["emptied", (path: string) => writeFile(path, "\n")],
  ["without tokens", (path: string) => writeFile(path, "[]\n")],
] as const) {
  test(`a token file that is ${what} revokes every token, and says so; written again it lets in`, async (t) => {
    const text = `- ${JSON.stringify(lab.entry)}`;
    const path = await write(t, text);
    t.after(() => unwatchFile(path));
    const problems: string[] = [];
    const tokens = await followTokens(path, ({ message }) => problems.push(message), 20);
    await change(path);
    while (problems.length === 0) await sleep(10);
    assert.match(problems[0]!, /every token is revoked, nobody is let in/);
    assert.deepEqual(tokens(), []);
    await writeFile(path, text);
    while (tokens().length === 0) await sleep(10);
    assert.deepEqual(tokens(), [lab.entry]);
  });
}

test("a token opens what its roles allow until it expires", () => {
  const day = Date.parse("2030-01-30T23:59:59Z");
  assert.equal(authorise(entries, `Bearer ${lab.token}`, "predict", day), lab.entry);
  assert.equal(authorise(entries, `bearer  ${viewer.token}`, "subscribe", day), viewer.entry);
  assert.equal(authorise(entries, `Bearer ${viewer.token}`, undefined, day), viewer.entry);
  assert.throws(() => authorise(entries, `Bearer ${viewer.token}`, "subscribe", day + 1_000), {
    code: "unauthenticated",
    rawMessage: "the token of viewer expired on 2030-01-31; ask the server's operator for a new one",
  });
  assert.throws(() => authorise(entries, `Bearer ${viewer.token}`, "predict", day), {
    code: "permission-denied",
    rawMessage: "this call needs a token with the role predict, and that of viewer has subscribe",
  });
});

test("no token, another scheme and an unknown token are refused without being repeated", () => {
  for (const header of [undefined, "", "Bearer", "Bearer a b", `Basic ${lab.token}`]) {
    assert.throws(() => authorise(entries, header, "predict"), /\[unauthenticated\] this server asks for a token/);
  }
  const { token } = newToken({ name: "stranger", roles: ["predict"] });
  for (const other of [token, lab.token.slice(0, -1), `${lab.token}x`, lab.entry.sha256]) {
    assert.throws(() => authorise(entries, `Bearer ${other}`, "predict"), {
      code: "unauthenticated",
      rawMessage: "this server does not know the token; ask its operator for one",
    });
  }
});

test("every new token is another one", () => {
  const tokens = new Set(Array.from({ length: 100 }, () => newToken({ name: "a", roles: ["submit"] }).token));
  assert.equal(tokens.size, 100);
  for (const token of tokens) assert.match(token, /^platestream_[A-Za-z0-9_-]{43}$/);
});
