/** Certificates made on the spot: an authority of its own, and whomever it certifies. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import * as x509 from "@peculiar/x509";
import { temporaryFolder } from "../kit/experiment.ts";

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const validity = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 3_600_000) };

export interface Certified {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** Path of its certificate. */
  readonly ca: string;
  /** A certificate for localhost and 127.0.0.1, for servers and clients alike. */
  certify(name: string): Promise<Certified>;
}

export const newAuthority = async (t: TestContext, authority = "Test authority"): Promise<Authority> => {
  const folder = await temporaryFolder(t);
  const issuer = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${authority}`,
    keys: issuer,
    signingAlgorithm: algorithm,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const ca = join(folder, "ca.pem");
  await writeFile(ca, root.toString("pem"));
  return {
    ca,
    async certify(name) {
      const keys = await newKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: keys.publicKey,
        signingKey: issuer.privateKey,
        signingAlgorithm: algorithm,
        ...validity,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: "dns", value: "localhost" },
            { type: "ip", value: "127.0.0.1" },
          ]),
        ],
      });
      const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
      await writeFile(cert, certificate.toString("pem"));
      await writeFile(
        key,
        x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY"),
      );
      return { cert, key };
    },
  };
};

const newKeys = async (): Promise<webcrypto.CryptoKeyPair> =>
  (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
