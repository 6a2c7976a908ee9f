import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { missingCapabilities } from "../../src/kernel/privileges.js";
import { openSys } from "../../src/sys/ffi.js";
import type { Sys } from "../../src/sys/sys.js";
import { FdLeaks } from "./fd-leaks.js";

const missing =
  process.platform === "linux" ? missingCapabilities(readFileSync("/proc/self/status", "latin1")) : ["Linux"];

/** A test on the running kernel; skipped where tracing is not allowed, and no descriptor may be open after it. */
export function kernelTest(name: string, run: (sys: Sys, t: TestContext) => void | Promise<void>): void {
  test(name, { skip: missing.length > 0 ? `needs ${missing.join(", ")}` : false }, async (t) => {
    const leaks = new FdLeaks();
    await run(openSys({ fdWatcher: leaks }), t);
    leaks.assertNone();
  });
}
