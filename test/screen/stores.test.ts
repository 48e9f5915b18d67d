/** Images that lie in object stores and on web servers, well and badly behaved ones. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDataset } from "../../datasets/open.ts";
import { imageAt } from "../../screen/image-source.ts";
import { writeGreyImage } from "../../screen/images.ts";
import { relocated } from "../../screen/prefix-map.ts";
import { readSite } from "../../screen/read-site.ts";
import { diskCache } from "../../screen/stores/disk-cache.ts";
import { fetchFile, urlFile } from "../../screen/stores/http.ts";
import { s3File } from "../../screen/stores/s3.ts";
import { temporaryFolder } from "../kit/experiment.ts";
import { keys, startS3, withEnvironment } from "./s3-server.ts";

const off = { PLATESTREAM_CACHE_MIB: "0" };

const picture = async (t: TestContext, value: number): Promise<{ path: string; bytes: Uint8Array }> => {
  const path = join(await temporaryFolder(t), `${value}.tiff`);
  await writeGreyImage(
    path,
    Uint16Array.from({ length: 64 }, (_, i) => value + i),
    8,
    8,
  );
  return { path, bytes: await readFile(path) };
};

test("a table of s3:// images gives the pixels of the same files on disk", { timeout: 30_000 }, async (t) => {
  const server = await startS3(t);
  withEnvironment(t, { ...off, ...keys, AWS_ENDPOINT_URL: server.endpoint });
  const folder = await temporaryFolder(t);
  const rows = ["URL_DNA,URL_ER,Metadata_Plate,Metadata_Well,Metadata_Site"];
  const local: string[] = [];
  for (const [site, name] of ["plain", "with space #1 (copy)+=ü"].entries()) {
    const made = [await picture(t, 100 * site), await picture(t, 1000 + site)];
    for (const [c, { bytes, path }] of made.entries()) {
      await server.put(`plates/${name}/${c}.tiff`, bytes);
      local.push(path);
    }
    rows.push(`${[0, 1].map((c) => `s3://screen/plates/${name}/${c}.tiff`)},P1,B02,${site + 1}`);
  }
  await writeFile(join(folder, "load_data.csv"), rows.join("\n"));
  const dataset = await openDataset(folder);
  const { sites } = await dataset.load(dataset.experiments[0]!.id);
  for (const [i, { images }] of sites.entries()) {
    const expected = await readSite(local.slice(2 * i, 2 * i + 2).map((path) => imageAt(path)));
    assert.deepEqual(await readSite(images), expected);
  }
  await assert.rejects(readSite([imageAt("s3://screen/none.tiff")]), /s3:\/\/screen\/none\.tiff: the file is missing/);
  withEnvironment(t, { AWS_ACCESS_KEY_ID: "STRANGER" });
  await assert.rejects(readSite([imageAt("s3://screen/plates/plain/0.tiff")]), /no permission: the server answers 403/);
});

test("s3:// finds region, endpoint and keys where AWS's programs do", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "credentials");
  await writeFile(
    file,
    "[default]\naws_access_key_id = A\naws_secret_access_key = B\n[lab]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n",
  );
  const asked = async (environment: Record<string, string>, location = "s3://bucket/a b/c+d.tif") =>
    s3File(location, { HOME: folder, ...environment }).request({});
  const public_ = await asked({});
  assert.equal(public_.url, "https://bucket.s3.us-east-1.amazonaws.com/a%20b/c%2Bd.tif");
  assert.equal(public_.headers.get("authorization"), null);
  assert.match((await asked({ AWS_REGION: "eu-west-1" })).url, /^https:\/\/bucket\.s3\.eu-west-1\.amazonaws\.com\//);
  assert.match(
    (await asked({}, "s3://my.bucket/x.tif")).url,
    /^https:\/\/s3\.us-east-1\.amazonaws\.com\/my\.bucket\/x\.tif$/,
  );
  const signed = await asked({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: "lab" });
  assert.match(signed.headers.get("authorization")!, /Credential=C\/.*\/us-east-1\/s3\/aws4_request/);
  assert.equal(signed.headers.get("x-amz-security-token"), "E");
  await assert.rejects(asked({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: "other" }), /has no keys for it/);
});

const quick = { stallMs: 300, attempts: 3, firstWaitMs: 5 };

/** A server that answers as `answer` does; counts what it was asked. */
const serve = async (
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, n: number) => void,
) => {
  let asked = 0;
  const server = createServer((request, response) => answer(request, response, ++asked));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/image.tiff`;
  return { url, asked: () => asked };
};

const contentOf = async (url: string, cache?: ReturnType<typeof diskCache>): Promise<Uint8Array> => {
  const bytes = await fetchFile(urlFile(url), quick, cache);
  return bytes.read(0, bytes.size);
};

test("what passes is tried again, what does not is reported at once", { timeout: 30_000 }, async (t) => {
  withEnvironment(t, off);
  const body = Buffer.alloc(100_000, 7);
  const whole = (response: ServerResponse) => response.writeHead(200, { "content-length": body.length }).end(body);
  const passing: Record<string, (response: ServerResponse) => void> = {
    "503": (response) => response.writeHead(503).end("busy"),
    "429 with Retry-After": (response) => response.writeHead(429, { "retry-after": "0" }).end(),
    "no answer": () => undefined,
    "stalls in the middle": (response) => {
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 5000));
    },
    "cut in the middle": (response) => {
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 5000), () => response.destroy());
    },
    "cut before the answer": (response) => response.destroy(),
    "fewer bytes than said": (response) => {
      response.writeHead(200, { "content-length": body.length, connection: "close" });
      response.write(body.subarray(0, 5000), () => response.socket!.end());
    },
  };
  for (const [what, bad] of Object.entries(passing)) {
    const once = await serve(t, (_, response, n) => (n === 1 ? bad(response) : whole(response)));
    assert.ok(body.equals(await contentOf(once.url)), what);
    assert.equal(once.asked(), 2, what);
    const always = await serve(t, (_, response) => bad(response));
    await assert.rejects(contentOf(always.url), /3 times in a row/, what);
    assert.equal(always.asked(), 3, what);
  }
  const lasting: readonly [number, RegExp, Record<string, string>?][] = [
    [403, /no permission: the server answers 403/],
    [404, /the file is missing: the server answers 404/],
    [410, /the server answers 410/],
    [302, /the server sends us to http:\/\/elsewhere\/x; name that one/, { location: "http://elsewhere/x" }],
  ];
  for (const [status, words, headers = {}] of lasting) {
    const server = await serve(t, (_, response) => response.writeHead(status, headers).end());
    await assert.rejects(contentOf(server.url), words);
    assert.equal(server.asked(), 1);
  }
});

test("the cache on disk asks whether a file has changed, stays within its bound, and notices damage", async (t) => {
  const folder = await temporaryFolder(t);
  const cache = diskCache({ folder, bytes: 40_000 });
  let [version, sent] = [1, 0];
  const { url } = await serve(t, (request, response) => {
    const etag = `"${request.url}-${version}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    sent += 1;
    response.writeHead(200, { etag }).end(Buffer.alloc(5000, version));
  });
  assert.equal((await contentOf(url, cache))[0], 1);
  assert.equal((await contentOf(url, cache))[0], 1);
  assert.equal(sent, 1);
  version = 2;
  assert.equal((await contentOf(url, cache))[0], 2);
  const [kept] = await readdir(folder);
  const file = await readFile(join(folder, kept!));
  file[file.length - 1]! ^= 1;
  await writeFile(join(folder, kept!), file);
  assert.equal((await contentOf(url, cache)).at(-1), 2);
  assert.equal(sent, 3);
  for (let i = 0; i < 20; i++) await contentOf(`${url}?${i}`, cache);
  assert.ok((await readdir(folder)).length <= 8, "8 files of 5 kB are 40 kB");
});

test("prefixes are mapped at the borders of folders, the longest first", () => {
  const map = { "s3://bucket": "/mnt/bucket/", "s3://bucket/b": "/fast", "/home/u/": "s3://other/data" };
  assert.equal(relocated("s3://bucket/a/x.tif", map), "/mnt/bucket/a/x.tif");
  assert.equal(relocated("s3://bucket/b/x.tif", map), "/fast/x.tif");
  assert.equal(relocated("s3://bucket2/x.tif", map), "s3://bucket2/x.tif");
  assert.equal(relocated("/home/u/x.tif", map), "s3://other/data/x.tif");
});

test("a dataset opens with a prefix map", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(
    join(folder, "load_data.csv"),
    "URL_DNA,Metadata_Plate,Metadata_Well,Metadata_Site\ns3://bucket/a/x.tiff,P1,B02,1\n",
  );
  const dataset = await openDataset(folder, { map: { "s3://bucket": folder } });
  const { sites } = await dataset.load(dataset.experiments[0]!.id);
  assert.deepEqual(sites[0]!.images, [imageAt(join(folder, "a/x.tiff"))]);
});
