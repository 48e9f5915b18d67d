import assert from "node:assert/strict";
import { test } from "node:test";
import { type LogOptions, openLog } from "../../common/observe/log.ts";

const recorded = (options: Partial<LogOptions>) => {
  const lines: string[] = [];
  const log = openLog({ format: "json", level: "debug", write: (line) => lines.push(line), ...options });
  return { log, lines };
};

test("a line of JSON has time, level, message and the fields of its log, without those that are undefined", () => {
  const { log, lines } = recorded({});
  log.with({ worker: "gpu1:7411" }).warn("a request failed", { experiment: "HUVEC-18", plate: undefined, attempt: 2 });
  const { time, ...rest } = JSON.parse(lines[0]!);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: "warn",
    message: "a request failed",
    worker: "gpu1:7411",
    experiment: "HUVEC-18",
    attempt: 2,
  });
});

test("lines below the level are not written", () => {
  const { log, lines } = recorded({ level: "warn" });
  log.debug("no");
  log.info("no");
  log.warn("yes");
  log.error("yes");
  assert.equal(lines.length, 2);
});

test("text stays one line per event, whatever names and messages hold", () => {
  const { log, lines } = recorded({ format: "text" });
  log.info("two\nlines\u001b[31m", { experiment: "HUVEC-18", reason: 'a "b"\n\u009bc=d', missing: undefined });
  assert.match(lines[0]!, /^\S+Z info {2}two lines \[31m experiment=HUVEC-18 reason="a \\"b\\"\\n c=d"\n$/);
});
