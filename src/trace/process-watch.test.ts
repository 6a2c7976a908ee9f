import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSys } from "../../test/support/fake-sys.js";
import { EACCES } from "../abi/errno.js";
import { UserSymbols } from "../symbols/user-symbols.js";
import { ProcessWatch } from "./process-watch.js";

test("where the kernel does not tell what processes map, it is said why, and all goes on without", async () => {
  using watch = new ProcessWatch(new FakeSys({ perf_event_open: () => -EACCES }));
  assert.match(watch.refused ?? "", /^perf_event_open: EACCES/);
  assert.equal(watch.records, undefined);
  using symbols = new UserSymbols({ records: watch.records });
  watch.follow(symbols);
  assert.equal(symbols.resolve(process.pid, 1n).kind, "unknown");
  assert.equal(watch.lost(), undefined);
  await watch.stop();
});
