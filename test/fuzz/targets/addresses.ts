/** URLs, addresses, names that become files and subjects. */
import { type Target, text } from "../target.ts";

export const addresses: readonly Target[] = [
  {
    name: "bus url",
    parsers: [],
    seeds: ["nats://127.0.0.1:4222", "tls://user:p%40ss@a,b:1/lab", "nats://token@[::1]:4222/x_y", "nats://a/b/c"],
    words: ["nats://", "tls://", "@", ":", "/", "%", ",", "[::1]"],
    async open() {
      const { parseBusUrl } = await import("../../../pipeline/bus/nats/connection.ts");
      return (input) => {
        try {
          parseBusUrl(text(input));
        } catch (error) {
          const login = /\/\/(.*)@/s.exec(text(input))?.[1] ?? "";
          const words = (error as Error).message;
          if (login.length > 6 && /^\w+$/.test(login) && words.includes(login))
            throw new Error("an error shows the login");
          throw error;
        }
      };
    },
  },
  {
    name: "listen address",
    parsers: ["common/security/listen-address.ts"],
    seeds: ["127.0.0.1:7411", "[::1]:0", "0.0.0.0:1", "localhost:65536"],
    words: ["[::", "]", ":", "127.", "localhost", "::ffff:"],
    async open() {
      const { hostAndPort, listenAddress } = await import("../../../common/security/listen-address.ts");
      return (input) => {
        const rule = {
          option: "--listen",
          who: "it",
          encrypted: input.length % 2 === 0,
          insecure: input.length % 3 === 0,
        };
        const { host, port } = listenAddress(text(input), rule);
        const again = listenAddress(hostAndPort(host, port), rule);
        if (again.host !== host || again.port !== port) throw new Error("an address is another after it was written");
      };
    },
  },
  {
    name: "names",
    parsers: ["pipeline/bus/nats/names.ts", "common/grpc/request-identity.ts"],
    seeds: ["HUVEC-01", "..", ".a", "a/b", "é\u0000", "experiment=A&attempt=2&plate=%zz&batch=0.1", '{"a":1}', ""],
    words: ["experiment=", "attempt=", "&", "%2E", "."],
    async open(folder) {
      const { fileName, nameOfFile, readJson, replaceFile } = await import("../../../common/atomic-files.ts");
      const { namesIn, token } = await import("../../../pipeline/bus/nats/names.ts");
      const { readIdentity, writeIdentity } = await import("../../../common/grpc/request-identity.ts");
      return async (input) => {
        const name = text(input).replaceAll("\ufffd", "").slice(0, 60);
        const file = fileName(name);
        if (nameOfFile(file) !== name) throw new Error("a name is another after it was a file's");
        if (/[/\0]/.test(file) || file === "." || file === "..") throw new Error(`no name of a file: ${file}`);
        if (/[.*>\s\0]/.test(token(name))) throw new Error(`no token of a subject: ${token(name)}`);
        const names = namesIn("a");
        names.eventsOf({
          kind: name === "call" ? "call" : undefined,
          plate: input.length % 2 === 0 ? name : undefined,
        });
        const identity = readIdentity(text(input));
        if (writeIdentity(readIdentity(writeIdentity(identity))) !== writeIdentity(identity))
          throw new Error("another identity");
        if (file === "" || file.length > 200 || input.length % 16 !== 0) return;
        const path = `${folder}/${file}`;
        await replaceFile(path, input);
        await readJson(path);
      };
    },
  },
];
