import assert from "node:assert/strict";
import { test } from "node:test";
import { type BindOptions, bindProbe } from "../../../test/support/bind-probe.js";

test("an address, a length and what to watch for", () => {
  const place = (text: string, options: BindOptions = {}): unknown => {
    const { candidates, messages } = bindProbe(text, options);
    assert.deepEqual(messages, []);
    const found = candidates[0]?.place;
    return found?.kind === "watchpoint" ? found.watched : undefined;
  };
  // uapi/linux/hw_breakpoint.h: R 1, W 2, X 4.
  assert.deepEqual(place("watchpoint:0x10000000:8:w", { pid: 7 }), {
    address: 0x1000_0000n,
    length: 8,
    access: 2,
    pid: 7,
  });
  assert.deepEqual(place("w:4096:1:wr"), { address: 4096n, length: 1, access: 3, pid: undefined });
  assert.deepEqual(place("asyncwatchpoint:0xffffffff81000000:4:x"), {
    address: 0xffff_ffff_8100_0000n,
    length: 4,
    access: 4,
    pid: undefined,
  });
  assert.deepEqual(place("w:4096:2:r", { arch: "arm64" }), { address: 4096n, length: 2, access: 1, pid: undefined });
});

test("each has a program of its own, with the process's registers if it is in one", () => {
  const [inProcess] = bindProbe("w:4096:1:w", { pid: 7 }).candidates;
  const [anywhere] = bindProbe("w:4097:1:w").candidates;
  assert.deepEqual(inProcess?.variant.context, { kind: "registers", space: "user" });
  assert.deepEqual(anywhere?.variant.context, { kind: "registers", space: "kernel" });
  assert.notEqual(inProcess?.variant.key, anywhere?.variant.key);
  assert.equal(anywhere?.name, "watchpoint:4097:1:w");
});

test("what cannot be watched is said", () => {
  const said = (text: string): string => bindProbe(text).messages.join("; ");
  assert.match(said("w:4096:1"), /is no watchpoint/);
  assert.match(said("w:0:1:w"), /'0' is no address/);
  assert.match(said("w:jiffies:1:w"), /'jiffies' is no address/);
  assert.match(said("w:0x10000000000000000:1:w"), /is no address/);
  assert.match(said("w:malloc+arg0:8:w"), /given up watchpoints on arguments/);
  assert.match(said("w:4096:3:w"), /1, 2, 4 or 8 bytes long, not '3'/);
  for (const mode of ["r", "ww", "rwx", "", "q"])
    assert.match(said(`w:4096:1:${mode}`), /is no way to watch memory; on x86_64 there are w, rw, x/, mode);
});

test("a machine that never tells of a hit gets none", () => {
  const { candidates, messages } = bindProbe("w:4096:1:w", { features: { breakpoint: "no" } });
  assert.deepEqual(candidates, []);
  assert.match(messages.join("; "), /does not tell of hardware breakpoints/);
});
