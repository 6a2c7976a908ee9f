import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSys } from "../../test/support/fake-sys.js";
import { clockIds } from "../sys/clock.js";
import { WallTime } from "./wall-time.js";

const second = 1_000_000_000n;

/** A machine whose clocks stand still, but for some microseconds between two looks. */
function timeOf(clocks: Readonly<Record<keyof typeof clockIds, bigint>>): WallTime {
  let looks = 0n;
  return new WallTime(
    new FakeSys({
      clock_gettime: (id, memory) => {
        const name = Object.entries(clockIds).find(([, number]) => number === id)?.[0] as keyof typeof clockIds;
        assert.ok(typeof memory === "object");
        const now = clocks[name] + 3000n * looks++;
        const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
        view.setBigInt64(0, now / second, true);
        view.setBigInt64(8, now % second, true);
        return 0;
      },
    }),
  );
}

const realtime = 1_796_000_000n * second;

test("each clock has its own distance from 1970", () => {
  const time = timeOf({ realtime, monotonic: 100n * second, boot: 5000n * second, tai: realtime + 37n * second });
  assert.equal(time.of("monotonic", 100n * second) / second, realtime / second);
  assert.equal(time.of("boot", 5000n * second) / second, realtime / second);
  // Atomic time is ahead by whole seconds, however long it took to look.
  assert.equal(time.of("tai", realtime + 37n * second + 5n), realtime + 5n);
  assert.equal(time.now() / second, realtime / second);
});

test("where the kernel was not told how far atomic time is ahead, its clock shows UTC", () => {
  const time = timeOf({ realtime, monotonic: 0n, boot: 0n, tai: realtime });
  assert.equal(time.of("tai", realtime + 5n), realtime + 5n);
});

test("moments before 1970 have microseconds, too", () => {
  const time = timeOf({ realtime, monotonic: 0n, boot: 0n, tai: 0n });
  assert.equal(time.text("%s.%f", -1n), "-1.999999");
  assert.equal(time.text("%s.%f", 1_500_000_000n), "1.500000");
});
