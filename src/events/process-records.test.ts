import assert from "node:assert/strict";
import { test } from "node:test";
import { perfRecord } from "../../test/fixtures/perf-record.js";
import { FakeSys } from "../../test/support/fake-sys.js";
import { EACCES, EINVAL } from "../abi/errno.js";
import { attrFlags, perfEventAttr } from "../abi/perf.js";
import type { SysArg } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { ProcessRecords } from "./process-records.js";

/** Rings in plain memory, in the order in which they are mapped; `next` says what perf_event_open answers. */
class RingSys extends FakeSys {
  readonly rings: ArrayBuffer[] = [];

  constructor(open: (flags: bigint, cpu: number) => number) {
    super({
      perf_event_open: (attr: SysArg, _pid: SysArg, cpu: SysArg) => {
        assert.ok(typeof attr === "object" && "bytes" in attr);
        const view = new DataView(attr.bytes.buffer);
        return open(view.getBigUint64(perfEventAttr.fields.flags[0], true), Number(cpu));
      },
    });
  }

  override view(_address?: number, length = 0): ArrayBuffer {
    const ring = new ArrayBuffer(length);
    this.rings.push(ring);
    return ring;
  }

  write(ring: number, bytes: Uint8Array): void {
    const buffer = this.rings[ring];
    assert.ok(buffer !== undefined);
    const head = new BigInt64Array(buffer, 1024, 1);
    new Uint8Array(buffer, 4096).set(bytes, Number(head[0]));
    head[0] = (head[0] ?? 0n) + BigInt(bytes.length);
  }
}

test("records of all CPUs in order of time; what another CPU may still precede is told the next time", () => {
  const sys = new RingSys((_flags, cpu) => 10 + cpu);
  using records = ProcessRecords.open(sys, [0, 1]);
  const now = process.hrtime.bigint();
  const { comm, task } = perfRecord;
  sys.write(0, task(now - 5n, "fork", 8, 7));
  sys.write(0, comm(now - 2n, 8, "a", true));
  sys.write(1, comm(now - 3n, 9, "b", true));
  const later = now + 20_000_000n;
  sys.write(1, task(later, "exit", 8, 7));
  assert.deepEqual(
    records.read().map(({ time }) => time - now),
    [-5n, -3n, -2n],
  );
  sys.write(0, comm(later - 1n, 8, "c", true));
  while (process.hrtime.bigint() <= later);
  assert.deepEqual(
    records.read().map(({ kind }) => kind),
    ["exec", "exit"],
  );
  assert.deepEqual(records.read(), []);
});

test("a ring that cannot be read counts as a loss", () => {
  const sys = new RingSys(() => 10);
  using records = ProcessRecords.open(sys, [0]);
  sys.write(0, new Uint8Array(16));
  assert.deepEqual(
    records.read().map(({ kind }) => kind),
    ["lost"],
  );
});

test("kernels without build ids, and without permission", () => {
  const asked: boolean[] = [];
  const old = new RingSys((flags) => {
    asked.push((flags & attrFlags.buildId) !== 0n);
    return (flags & attrFlags.buildId) === 0n ? 10 : -EINVAL;
  });
  ProcessRecords.open(old, [0])[Symbol.dispose]();
  assert.deepEqual(asked, [true, true, false]);
  assert.throws(() => ProcessRecords.open(new RingSys(() => -EACCES), [0]), SyscallError);
});
