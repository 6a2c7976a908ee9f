import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../../test/support/simulation.js";

/** What a series of intervals of 10 ns holds, as interval:value, after values at times that the script says. */
function series(what: string, action: string): string | undefined {
  const simulation = new Simulation(
    `BEGIN { @ts = (uint64)100; ${action.replaceAll("add", "@a = tseries").replaceAll("WHAT", `10ns, 3${what}`)} }`,
    { settings: { dummy_ts_map: "@ts" } },
  );
  simulation.fire();
  return simulation.scalar("@a");
}

const action = "add(5, WHAT); @ts += 10; add(-7, WHAT); add(3, WHAT); add(1, WHAT); @ts += 10; add(9, WHAT);";

test("each interval keeps its last value, or what is asked for", () => {
  assert.equal(series("", action), "12:9 10:5 11:1");
  assert.equal(series(', "min"', action), "12:9 10:5 11:-7");
  assert.equal(series(', "max"', action), "12:9 10:5 11:3");
  assert.equal(series(', "sum"', action), "12:9 10:5 11:-3");
  assert.equal(series(', "avg"', action), "12:9 10:5 11:-1");
});

test("an interval takes the place of the one that is too old", () => {
  assert.equal(series("", `${action} @ts += 10; add(4, WHAT);`), "12:9 13:4 11:1");
});
