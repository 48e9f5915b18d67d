import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { identityKey, readIdentity, writeIdentity } from "../../common/grpc/request-identity.ts";

test("an identity goes through gRPC metadata and back, whatever the names", () => {
  const identity = { experiment: "jour 3 & 日=本\n", attempt: 2, plate: "A=1&b", batch: "0.12" };
  const metadata = new Metadata();
  metadata.set(identityKey, writeIdentity(identity));
  assert.deepEqual(readIdentity(String(metadata.get(identityKey)[0])), identity);
});

test("what is not known is not sent", () => {
  assert.equal(
    writeIdentity({ experiment: "HUVEC-18", attempt: 1, plate: undefined }),
    "experiment=HUVEC-18&attempt=1",
  );
});

test("what a client made up is cut off and left out, not believed", () => {
  const nothing = { experiment: undefined, attempt: undefined, plate: undefined, batch: undefined };
  assert.deepEqual(readIdentity(""), nothing);
  assert.deepEqual(readIdentity("level=error&message=x&attempt=-1&%ff=%"), nothing);
  assert.equal(readIdentity(`experiment=${"x".repeat(100_000)}`).experiment!.length, 100);
});
