import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";

test("func in a map of addresses is the function's address", () => {
  const simulation = new Simulation("kprobe:vfs_read { @f = ksym(arg0); @f = func; }", {
    environment: { funcIp: 0x1234n },
  });
  simulation.fire({ registers: { arg0: 1n } });
  assert.match(simulation.scalar("@f") ?? "", /1234/);
});
