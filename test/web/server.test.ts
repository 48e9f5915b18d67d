/** The doors of the plate map's server, asked as no browser would. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { fromColumns, toColumns } from "../../web/columns.ts";
import type { About, Change, Snapshot, WellRow } from "../../web/protocol.ts";
import { makeScreen, serveScreen } from "./screen.ts";

const limit = { timeout: 60_000 };

const json = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

/** Asks again until it is so. */
const until = async <T>(ask: () => Promise<T>, so: (value: T) => boolean): Promise<T> => {
  for (;;) {
    const value = await ask();
    if (so(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

test("the plate map - everything is answered with a policy that lets nothing in or out", limit, async (t) => {
  const { url } = await serveScreen(t, await makeScreen(t));
  for (const path of ["/", "/main.js", "/api/about", "/api/nothing", "/nothing"]) {
    const { headers } = await fetch(url + path);
    assert.match(headers.get("content-security-policy")!, /^default-src 'none'; script-src 'self';/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

test("the plate map - wrong requests are refused in words, and it goes on", limit, async (t) => {
  const { url } = await serveScreen(t, await makeScreen(t));
  const status = async (path: string, init?: RequestInit) => (await fetch(url + path, init)).status;
  assert.equal(await status("/nothing"), 404);
  assert.equal(await status("/../package.json"), 404);
  assert.equal(await status("/%2e%2e/package.json"), 404);
  assert.equal(await status("/api/nothing"), 404);
  assert.equal(await status("/api/well?experiment=HUVEC-01&plate=1"), 404);
  assert.equal(await status("/api/well?experiment=HUVEC-01&plate=1&well=Z99"), 404);
  assert.equal(await status("/api/picture?experiment=x&plate=1&well=B02&site=1&channel=0"), 404);
  assert.equal(await status("/api/picture?experiment=HUVEC-01&plate=1&well=B02&site=1&channel=7"), 404);
  assert.equal(await status("/api/picture?experiment=HUVEC-01&plate=1&well=B02&site=-1&channel=0"), 404);
  assert.equal(await status("/api/changes?after=-1&epoch=x"), 404);
  assert.equal(await status("/api/about", { method: "POST" }), 405);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.end("GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const heard: Buffer[] = [];
  for await (const chunk of socket) heard.push(chunk as Buffer);
  assert.match(Buffer.concat(heard).toString(), /^HTTP\/1\.1 400 /);
  assert.equal(await status("//"), 200);
});

test("the plate map - a page of another name that leads here gets nothing", limit, async (t) => {
  const { url } = await serveScreen(t, await makeScreen(t));
  const answered = await new Promise<number>((resolve, reject) => {
    request(`${url}/api/about`, { headers: { host: "evil.example" } }, ({ statusCode }) => resolve(statusCode!))
      .once("error", reject)
      .end();
  });
  assert.equal(answered, 421);
});

test("the plate map - with tokens, data is for those that have one with the role subscribe", limit, async (t) => {
  const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");
  const { url } = await serveScreen(t, await makeScreen(t), {
    tokens: () => [
      { name: "reader", roles: ["subscribe"], sha256: sha256("right") },
      { name: "worker", roles: ["predict"], sha256: sha256("other") },
    ],
  });
  const status = async (path: string, token?: string) =>
    (await fetch(url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })).status;
  assert.equal(await status("/"), 200);
  assert.equal(await status("/api/screen"), 401);
  assert.equal(await status("/api/screen", "wrong"), 401);
  assert.equal(await status("/api/screen", "other"), 403);
  assert.equal(await status("/api/screen", "right"), 200);
});

test(
  "the plate map - wells are there before their calls; changes go on after the number that was seen",
  limit,
  async (t) => {
    const screen = await makeScreen(t);
    const { url } = await serveScreen(t, screen);
    const { epoch } = await json<About>(`${url}/api/about`);
    const first = await until(
      () => json<Snapshot>(`${url}/api/screen`),
      ({ wells }) => wells.count === 10,
    );
    assert.ok(fromColumns(first.wells).every(({ call }) => call === undefined));
    await screen.call("1", "B02", "t0");
    await screen.call("1", "B03", "t3");
    const later = await until(
      () => json<Snapshot>(`${url}/api/screen`),
      ({ seq, experiments }) => seq > first.seq && experiments[0]!.called === 2,
    );
    const readOne = async (after: number, epoch: string): Promise<Change> => {
      const { body } = await fetch(`${url}/api/changes?after=${after}&epoch=${epoch}`);
      const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`the stream ended after ${text}`);
        text += value;
        const data = /^data: (.*)\n\n/m.exec(text)?.[1];
        if (data === undefined) continue;
        await reader.cancel();
        return JSON.parse(data) as Change;
      }
    };
    const calls = ({ wells }: Change) =>
      wells.filter(({ call }) => call !== undefined).map(({ well, call }) => [well, call]);
    assert.deepEqual(calls(await readOne(first.seq, epoch)), [
      ["B02", "t0"],
      ["B03", "t3"],
    ]);
    await screen.call("2", "B02", "t0");
    assert.deepEqual(calls(await readOne(later.seq, epoch)), [["B02", "t0"]]);
    assert.equal((await readOne(later.seq, "of another process")).wells.length, 10);
  },
);

test("the plate map - a picture has the grey levels of the file that were asked for", limit, async (t) => {
  const { url } = await serveScreen(t, await makeScreen(t));
  const ask = (more: string) =>
    fetch(`${url}/api/picture?experiment=HUVEC-01&plate=1&well=B02&site=1&channel=0${more}`);
  const own = await ask("");
  assert.equal(own.headers.get("content-type"), "image/png");
  assert.equal(own.headers.get("x-grey-levels"), "100 4180 65535");
  assert.equal((await ask("&low=200&high=300")).headers.get("x-grey-levels"), "200 300 65535");
});

test("columns of wells become the same rows again", () => {
  const rows: WellRow[] = [
    {
      experiment: "E",
      plate: "1",
      well: "B02",
      wellType: "treatment",
      treatment: "t",
      call: "t",
      probability: 0.5,
      margin: -0.25,
      plateGroup: 0,
      strategy: "argmax",
      byStrategy: { argmax: "t", "plate-groups": "u" },
      flags: ["a", "b"],
      reasons: [],
      metadata: { dose: 1.5, "": "x" },
    },
    {
      experiment: "E",
      plate: "1",
      well: "B03",
      wellType: "negative_control",
      flags: [],
      reasons: ["r"],
      metadata: { constructor: "y" },
    },
  ];
  assert.deepEqual(fromColumns(JSON.parse(JSON.stringify(toColumns(rows)))), rows);
});
