/** Below the messages: what a client does to HTTP/2. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { frame, preface } from "../../kit/http2.ts";
import type { Attack, Door } from "../attack.ts";
import type { AttackClient } from "../client.ts";
import type { RunningWorker } from "../fixtures.ts";
import type { Scene } from "../scene.ts";
import { clear, crashed, hung, unclear, type Verdict } from "../verdict.ts";

const [headers, reset, settings, ping, continuation] = [1, 3, 4, 6, 9];
const endHeaders = 4;

const open = async (address: string): Promise<Socket> => {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host).on("error", () => undefined);
  socket.resume();
  await heard(socket, "connect");
  return socket;
};

/** `once` of node:events would reject when the socket breaks. */
const heard = (socket: Socket, event: "connect" | "drain" | "close"): Promise<void> =>
  new Promise((resolve) => void socket.once(event, resolve));

const descriptors = ({ pid }: RunningWorker): number => readdirSync(`/proc/${pid}/fd`).length;

/** Whether the worker still answers somebody else. */
const answers = async (client: AttackClient, now: string): Promise<Verdict> => {
  const { status, message } = await client.listModels();
  if (status === "OK") return clear(now);
  return status === "DEADLINE_EXCEEDED" ? hung("nobody else is answered") : unclear(`${status}: ${message}`);
};

/** 20 connections that each send this and close; no descriptor may stay. */
const breaks = (input: string, before: string, bytes: Uint8Array): Attack => ({
  input: `20 connections: ${input}`,
  before,
  async run(scene) {
    const worker = await scene.sharedWorker();
    const count = descriptors(worker);
    for (let index = 0; index < 20; index++) {
      const socket = await open(worker.address);
      socket.write(bytes);
      await Promise.race([heard(socket, "close"), sleep(300)]);
      socket.destroy();
    }
    let left = 20;
    for (let tries = 0; tries < 60 && left > 2; tries++) {
      await sleep(500);
      if (!worker.running()) return crashed(worker.complaints.at(-1) ?? "the worker ended");
      left = descriptors(worker) - count;
    }
    if (left > 2) return unclear(`${left} descriptors are left after 30 s`);
    return answers(scene.client(worker.address), "every descriptor is given back");
  },
});

/** Sends a flood over one connection; the worker must answer others meanwhile, and hold its memory. */
const floods = (input: string, before: string, bytes: (index: number) => Uint8Array): Attack => ({
  input,
  before,
  async run(scene) {
    const worker = await scene.sharedWorker();
    const socket = await open(worker.address);
    socket.write(Buffer.concat([preface, frame(settings, 0, 0)]));
    for (let index = 0; index < 20_000 && !socket.destroyed; index++) {
      if (!socket.write(bytes(index)))
        await Promise.race([heard(socket, "drain"), heard(socket, "close"), sleep(2_000)]);
    }
    const verdict = await answers(scene.client(worker.address), socket.destroyed ? "cut off" : "borne");
    socket.destroy();
    return verdict;
  },
});

const garbage = Buffer.alloc(6, 0xff);
/** `:method: POST`, `:scheme: http`, `:path: /`, by their numbers in HPACK's table. */
const request = Buffer.from([0x83, 0x86, 0x84]);

export const framing: Door = {
  name: "framing",
  attacks: [
    breaks(
      "HEADERS that cannot be decoded",
      "20 of 20 descriptors leaked; with 256 in all the worker was gone for good",
      Buffer.concat([preface, frame(settings, 0, 0), frame(headers, endHeaders, 1, garbage)]),
    ),
    breaks("no HTTP/2 at all", "closed", Buffer.from("GET / HTTP/1.1\r\n\r\n")),
    breaks("half a preface", "closed", preface.subarray(0, 10)),
    breaks("a frame of 16 MB announced", "closed", Buffer.concat([preface, Buffer.from("ffffff000000000001", "hex")])),
    floods("20,000 requests, each reset at once", "borne", (index) =>
      Buffer.concat([
        frame(headers, endHeaders, 2 * index + 1, request),
        frame(reset, 0, 2 * index + 1, Buffer.from([0, 0, 0, 8])),
      ]),
    ),
    floods("20,000 CONTINUATION frames without an end", "cut off", (index) =>
      index === 0 ? frame(headers, 0, 1, request) : frame(continuation, 0, 1, request),
    ),
    floods("20,000 pings", "borne", () => frame(ping, 0, 0, Buffer.alloc(8))),
    {
      input: "64 streams of a client that is stopped",
      before: "RESOURCE_EXHAUSTED for its address, after 150 s still",
      limitSeconds: 150,
      run: (scene) => frozen(scene),
    },
  ],
};

/** A client process with as many streams as it may have is stopped; its address must be served again before long. */
const frozen = async (scene: Scene): Promise<Verdict> => {
  const { address } = await scene.worker();
  const script = new URL("../frozen-client.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, address], { stdio: ["ignore", "pipe", "inherit"] });
  scene.onClose(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGSTOP");
  const client = scene.client(address, 5_000);
  const started = Date.now();
  let last = "";
  while (Date.now() - started < 120_000) {
    const { status, message } = await client.listModels();
    if (status === "OK") return clear(`served again after ${((Date.now() - started) / 1000).toFixed(0)} s`);
    last = `${status}: ${message}`;
    await sleep(1_000);
  }
  return hung(`locked out for 120 s: ${last}`);
};
