// The TypeScript API on a real kernel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AttachError, attach, ScriptError, type TraceEvent } from "../../src/index.js";
import { openTimes } from "../support/workload.js";

test("events arrive in order; leaving the loop detaches", async () => {
  const seen: string[] = [];
  const trace = await attach('interval:ms:5 { @n++; printf("%d\\n", @n); }');
  for await (const event of trace) {
    if (event.kind === "printf") seen.push(event.text);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ["1\n", "2\n", "3\n"]);
});

test("typed values: a map by key, and a signal that ends the trace", async () => {
  const controller = new AbortController();
  const trace = await attach(
    `t:syscalls:sys_enter_openat /pid == ${process.pid} && str(args.filename) == str($1)/ { @[comm, 1] = count(); }`,
    {
      signal: controller.signal,
      positional: ["/etc/hostname"],
    },
  );
  openTimes("/etc/hostname", 9);
  controller.abort();
  const events: TraceEvent[] = [];
  for await (const event of trace) events.push(event);
  const map = events.find((event) => event.kind === "map");
  assert.ok(map?.kind === "map");
  assert.equal(map.map.name, "@");
  assert.deepEqual(
    map.map.entries.map(({ key, value }) => [key[1], value]),
    [
      [
        { kind: "int", value: 1n },
        { kind: "count", value: 9n },
      ],
    ],
  );
  assert.deepEqual(events.at(-1), { kind: "exit", code: 0 });
});

test("two traces run side by side", async () => {
  const texts = await Promise.all(
    ["a", "b"].map(async (text) => {
      let found = "";
      for await (const event of await attach(`interval:ms:5 { printf("${text}"); exit(); }`))
        if (event.kind === "printf") found += event.text;
      return found;
    }),
  );
  assert.deepEqual(texts, ["a", "b"]);
});

test("a wrong script is a ScriptError with its diagnostics", async () => {
  await assert.rejects(attach("interval:s:1 { nonsense(); }"), (error) => {
    assert.ok(error instanceof ScriptError);
    assert.equal(error.diagnostics[0]?.code, "unknown-function");
    return true;
  });
});

test("a place that does not exist: the checker says so, or the kernel", async () => {
  const script = "uprobe:/bin/bash:0xfffffff0 { @ = count(); }";
  await assert.rejects(attach(script), ScriptError);
  // Whoever insists hears it from the kernel.
  await assert.rejects(attach(script, { unsafe: true }), AttachError);
});
