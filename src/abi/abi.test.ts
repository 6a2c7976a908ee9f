import assert from "node:assert/strict";
import { test } from "node:test";
import * as errno from "./errno.js";
import { errnoName, errnoText } from "./errno.js";
import { perfEventAttr } from "./perf.js";
import { archOf, machines } from "./registers.js";
import { cString, cStrings, memory, struct, u64Array, zeroed } from "./struct.js";
import { SyscallTable } from "./syscalls.js";

/** An address space for tests: each piece of memory at a multiple of 2^32. */
function addresses() {
  const known: Uint8Array[] = [];
  return {
    known,
    of: (bytes: Uint8Array): bigint => {
      if (!known.includes(bytes)) known.push(bytes);
      return BigInt(known.indexOf(bytes) + 1) << 32n;
    },
  };
}

test("a structure is encoded by its description; pointers keep what they point to", () => {
  const sample = struct("sample", 32, {
    a: [0, "u32"],
    b: [4, "u16"],
    c: [6, "u8"],
    p: [8, "pointer"],
    q: [16, "u64"],
    name: [24, "text8"],
  });
  const space = addresses();
  const target = cString("hello");
  const made = sample.encode({ a: 0xffffffff, b: 513, c: 7, p: target, q: -1n, name: "12345678" }, space.of);
  const view = new DataView(made.bytes.buffer);
  assert.equal(view.getUint32(0, true), 0xffffffff);
  assert.equal(view.getUint16(4, true), 513);
  assert.equal(view.getUint8(6), 7);
  assert.equal(view.getBigUint64(8, true), 1n << 32n);
  assert.equal(view.getBigUint64(16, true), 2n ** 64n - 1n);
  // The last byte stays NUL.
  assert.equal(Buffer.from(made.bytes.subarray(24)).toString(), "1234567\0");
  assert.deepEqual(made.keeps, [target]);
  assert.deepEqual([...sample.encode({ a: undefined }, space.of).bytes], Array(32).fill(0));
});

test("strings and arrays as C sees them", () => {
  assert.deepEqual([...cString("äb").bytes], [0xc3, 0xa4, 0x62, 0]);
  const space = addresses();
  const list = cStrings(["one", "zwölf", ""], space.of);
  const strings = space.known[0];
  assert.ok(strings !== undefined);
  assert.equal(Buffer.from(strings).toString(), "one\0zwölf\0\0");
  const pointers = new BigUint64Array(list.bytes.buffer);
  assert.deepEqual([...pointers], [...[0n, 4n, 11n].map((at) => (1n << 32n) + at), 0n]);
  assert.equal(list.keeps.length, 1);
  assert.deepEqual([...new BigUint64Array(u64Array([1n, 2n ** 64n - 1n]).bytes.buffer)], [1n, 2n ** 64n - 1n]);
  assert.deepEqual(memory(zeroed(3)), { bytes: zeroed(3), keeps: [] });
  assert.equal(perfEventAttr.encode({ size: 112 }, space.of).bytes.length, 112);
});

test("error numbers have their names", () => {
  assert.equal(errnoName(2), "ENOENT");
  assert.equal(errnoName(95), "EOPNOTSUPP");
  assert.equal(errnoName(524), "ENOTSUPP");
  assert.equal(errnoName(4000), "errno 4000");
  assert.equal(errnoText(2), "no such file or directory");
  assert.equal(errnoText(4000), undefined);
  for (const [name, value] of Object.entries(errno)) {
    if (typeof value === "number") assert.equal(errnoName(value), name);
  }
});

test("system calls by the names of calls and of their functions", () => {
  const x86 = new SyscallTable("x86_64");
  assert.deepEqual(
    ["read", "openat", "newfstat", "bpf", "umount", "mseal"].map((n) => x86.number(n)),
    [0, 257, 5, 321, 166, 462],
  );
  assert.equal(x86.name(59), "execve");
  assert.equal(x86.name(999), undefined);
  assert.equal(x86.number("nothing"), undefined);
  const arm = new SyscallTable("arm64");
  assert.deepEqual(
    ["read", "openat", "newfstat", "bpf", "open"].map((n) => arm.number(n)),
    [63, 56, 80, 280, undefined],
  );
  assert.equal(arm.name(79), "newfstatat");
});

test("machines", () => {
  const { x86_64, arm64 } = machines;
  const { ip } = x86_64.registers;
  assert.equal(ip, 128);
  assert.deepEqual(x86_64.functionArguments, [112, 104, 96, 88, 72, 64]);
  assert.deepEqual(x86_64.syscallArguments, [112, 104, 96, 56, 72, 64]);
  assert.equal(x86_64.ptRegsSize, 21 * 8);
  const { r30, pc } = arm64.registers;
  assert.equal(r30, arm64.returnAddress.offset);
  assert.equal(pc, arm64.instructionPointer);
  assert.equal(archOf("x64"), "x86_64");
  assert.equal(archOf("ia32"), undefined);
});
