import assert from "node:assert/strict";
import type { FdWatcher } from "../../src/sys/sys.js";

/** Knows every open Fd and where it was opened; give it to `openSys`, and call {@link assertNone} at the end of the test. */
export class FdLeaks implements FdWatcher {
  private readonly open = new Map<number, { readonly what: string; readonly stack: string }>();

  opened(raw: number, what: string): void {
    assert.ok(!this.open.has(raw), `descriptor ${raw} (${what}) was opened twice: ${this.open.get(raw)?.what}`);
    const stack = new Error(what).stack ?? "";
    // The first lines are the message, this method and Fd itself.
    this.open.set(raw, { what, stack: stack.split("\n").slice(4, 12).join("\n") });
  }

  closed(raw: number): void {
    assert.ok(this.open.delete(raw), `descriptor ${raw} was closed twice`);
  }

  get count(): number {
    return this.open.size;
  }

  assertNone(): void {
    const leaks = [...this.open.values()].map(({ what, stack }) => `${what}, opened\n${stack}`);
    assert.equal(leaks.length, 0, `descriptors were left open:\n${leaks.join("\n")}`);
  }
}
