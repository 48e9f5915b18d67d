/**
 * Objects of S3 and its look-alikes: `s3://bucket/key`. Credentials, region and endpoint come from where AWS's own
 * programs take them; without credentials, requests are anonymous, as public buckets want them.
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { AwsV4Signer } from "aws4fetch";
import { unreadable } from "../unreadable.ts";
import type { Bytes } from "./bytes.ts";
import { fetchFile, type RemoteFile } from "./http.ts";

export const openS3 = (location: string): Promise<Bytes> => fetchFile(s3File(location));

type Environment = Readonly<Record<string, string | undefined>>;

export const s3File = (location: string, environment: Environment = process.env): RemoteFile => {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(location) ?? [];
  if (bucket === undefined || key === undefined) throw unreadable("expected s3://bucket/key");
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL;
  const asked = regions.get(bucket) ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? "us-east-1";
  let region = asked;
  const path = key.split("/").map(encode).join("/");
  const url = () =>
    endpoint !== undefined
      ? `${endpoint.replace(/\/$/, "")}/${bucket}/${path}`
      : bucket.includes(".")
        ? `https://s3.${region}.amazonaws.com/${bucket}/${path}` // certificates know no bucket with a dot
        : `https://${bucket}.s3.${region}.amazonaws.com/${path}`;
  return {
    location,
    async request(headers) {
      const credentials = await findCredentials(environment);
      if (credentials === undefined) return new Request(url(), { headers, redirect: "manual" });
      const signer = new AwsV4Signer({ ...credentials, url: url(), headers, service: "s3", region, method: "GET" });
      const signed = await signer.sign();
      return new Request(signed.url, { headers: signed.headers, redirect: "manual" });
    },
    redirected(response) {
      const right = response.headers.get("x-amz-bucket-region");
      if (endpoint !== undefined || right === null || right === region) return false;
      region = right;
      regions.set(bucket, right);
      return true;
    },
  };
};

/** Regions of buckets that lie elsewhere, as their servers said. */
const regions = new Map<string, string>();

/** As S3 wants it: everything but unreserved characters. */
const encode = (part: string): string =>
  encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const findCredentials = async (environment: Environment): Promise<Credentials | undefined> => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = environment;
  if (id && secret) return { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) };
  const path = environment.AWS_SHARED_CREDENTIALS_FILE ?? join(environment.HOME ?? homedir(), ".aws", "credentials");
  const text = await readFile(path, "utf8").catch(() => undefined);
  const profile = environment.AWS_PROFILE ?? "default";
  const found = text === undefined ? undefined : section(text, profile);
  if (found?.aws_access_key_id !== undefined && found.aws_secret_access_key !== undefined) {
    const { aws_access_key_id, aws_secret_access_key, aws_session_token } = found;
    const given = { accessKeyId: aws_access_key_id, secretAccessKey: aws_secret_access_key };
    return aws_session_token === undefined ? given : { ...given, sessionToken: aws_session_token };
  }
  if (environment.AWS_PROFILE === undefined) return undefined;
  throw unreadable(`AWS_PROFILE is ${profile}, and ${path} has no keys for it`);
};

const section = (text: string, name: string): Record<string, string> | undefined => {
  const values: Record<string, string> = {};
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[(.+?)\]/.exec(line)?.[1]?.trim();
    if (header !== undefined) inside = header === name;
    const [, key, value] = /^\s*([\w]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (inside && key !== undefined) values[key] = value!;
  }
  return Object.keys(values).length === 0 ? undefined : values;
};
