/** HTTP at `--metrics-listen`. */
import { connect } from "node:net";
import type { Attack, Door } from "../attack.ts";
import { clear, crashed, hung, unclear } from "../verdict.ts";

/** Sends bytes, and resolves to the first line that comes back. */
const send = async (url: string, text: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setTimeout(5_000, () => socket.destroy());
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await new Promise((resolve) => socket.on("close", resolve));
  return answer.split("\r\n", 1)[0]!;
};

const request = (line: string, wanted: RegExp, before: string): Attack => ({
  input: line.length > 60 ? `${line.slice(0, 30)}… (${line.length} characters)` : JSON.stringify(line),
  before,
  async run(scene) {
    const { probes } = await scene.sharedWorker();
    const first = await send(probes, `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const alive = await send(probes, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    if (!alive.includes("200")) return crashed(`answered "${first}", and no more`);
    if (first === "") return hung("no answer within 5 s");
    return wanted.test(first) ? clear(first) : unclear(first);
  },
});

const died = "the process ended: TypeError: Invalid URL";

export const probes: Door = {
  name: "probes",
  attacks: [
    request("GET // HTTP/1.1", / 40[04] /, died),
    request("GET http://[ HTTP/1.1", / 40[04] /, died),
    request("GET /\\\\/%00 HTTP/1.1", / 40[04] /, died),
    request("OPTIONS * HTTP/1.1", / 40[045] /, "405"),
    request("POST /metrics HTTP/1.1", / 405 /, "405"),
    request("GET /healthz HTTP/9.9", / 400 /, "400"),
    request(`GET /${"a".repeat(20_000)} HTTP/1.1`, / 4(00|04|31) /, "431"),
  ],
};
