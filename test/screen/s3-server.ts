/** A server that speaks S3, on a port of its own, with the bucket `screen`. */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { AwsV4Signer } from "aws4fetch";

interface S3rver {
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

const S3rver = createRequire(import.meta.url)("s3rver") as new (options: Record<string, unknown>) => S3rver;

/** The server knows these keys only. */
export const keys = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

export interface S3Server {
  readonly endpoint: string;
  put(key: string, content: Uint8Array): Promise<void>;
}

export const startS3 = async (t: TestContext): Promise<S3Server> => {
  const directory = await mkdtemp(join(tmpdir(), "platestream-s3-"));
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: "screen" }],
  });
  const { port } = await server.run();
  t.after(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    async put(key, content) {
      const url = `${endpoint}/screen/${key.split("/").map(encodeURIComponent).join("/")}`;
      const signer = new AwsV4Signer({
        url,
        method: "PUT",
        service: "s3",
        region: "us-east-1",
        accessKeyId: keys.AWS_ACCESS_KEY_ID,
        secretAccessKey: keys.AWS_SECRET_ACCESS_KEY,
      });
      const signed = await signer.sign();
      const answer = await fetch(signed.url, { method: "PUT", headers: signed.headers, body: content as never });
      if (!answer.ok) throw new Error(`the S3 server answers ${answer.status} to a PUT`);
    },
  };
};

/** Sets environment variables for one test. */
export const withEnvironment = (t: TestContext, values: Readonly<Record<string, string | undefined>>): void => {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    t.after(() => set(name, before));
    set(name, value);
  }
};

const set = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};
