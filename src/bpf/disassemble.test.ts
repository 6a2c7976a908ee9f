import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatError } from "../base/errors.js";
import { Random } from "../ir/testing/random-ir.js";
import { disassemble } from "./disassemble.js";
import { Interpreter } from "./interpret.js";
import { InterpreterError } from "./sim-memory.js";

function code(
  ...insns: readonly (readonly [code: number, dst: number, src: number, off: number, imm: number])[]
): Uint8Array {
  const bytes = new Uint8Array(insns.length * 8);
  const view = new DataView(bytes.buffer);
  insns.forEach(([op, dst, src, off, imm], i) => {
    view.setUint8(i * 8, op);
    view.setUint8(i * 8 + 1, (src << 4) | dst);
    view.setInt16(i * 8 + 2, off, true);
    view.setInt32(i * 8 + 4, imm, true);
  });
  return bytes;
}

test("instructions read as the kernel writes them", () => {
  const lines = disassemble(
    code(
      [0x79, 1, 10, -8, 0],
      [0x91, 1, 6, 4, 0],
      [0x7a, 10, 0, -16, 5],
      [0x73, 1, 2, 0, 0],
      [0xdb, 1, 2, 8, 0],
      [0xdb, 1, 2, 8, 0x01],
      [0xc3, 1, 2, 8, 0xe1],
      [0xdb, 1, 2, 0, 0xf1],
      [0xbf, 1, 6, 0, 0],
      [0xbf, 1, 6, 32, 0],
      [0xb4, 1, 0, 0, 7],
      [0x37, 1, 0, 1, 3],
      [0xc7, 1, 0, 0, 63],
      [0x87, 1, 0, 0, 0],
      [0xdc, 1, 0, 0, 16],
      [0x55, 1, 0, 2, 0],
      [0xae, 1, 2, -3, 0],
      [0x05, 0, 0, 4, 0],
      [0x06, 0, 0, 0, 70000],
      [0x85, 0, 0, 0, 14],
      [0x85, 0, 1, 0, 9],
      [0x18, 1, 0, 0, -1],
      [0, 0, 0, 0, 1],
      [0x18, 1, 4, 0, 3],
      [0, 0, 0, 0, 0],
      [0x95, 0, 0, 0, 0],
    ),
  );
  assert.deepEqual(
    lines.map((line) => line.replace(/^\d+: /, "")),
    [
      "r1 = *(u64 *)(r10 -8)",
      "r1 = *(s8 *)(r6 +4)",
      "*(u64 *)(r10 -16) = 5",
      "*(u8 *)(r1 +0) = r2",
      "lock *(u64 *)(r1 +8) += r2",
      "r2 = atomic_fetch_add((u64 *)(r1 +8), r2)",
      "r2 = atomic_xchg((u32 *)(r1 +8), r2)",
      "r0 = atomic_cmpxchg((u64 *)(r1 +0), r0, r2)",
      "r1 = r6",
      "r1 = (s32)r6",
      "w1 = 7",
      "r1 s/= 3",
      "r1 s>>= 63",
      "r1 = -r1",
      "r1 = be16 r1",
      "if r1 != 0 goto pc+2",
      "if w1 < w2 goto pc-3",
      "goto pc+4",
      "gotol pc+70000",
      "call get_current_pid_tgid#14",
      "call func[30]",
      "r1 = 0x1ffffffff ll",
      "r1 = func[27]",
      "exit",
    ],
  );
});

test("any bytes are disassembled or refused", () => {
  const random = new Random(3);
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    try {
      disassemble(bytes);
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
    }
  }
});

test("any bytes are run or refused, in a bounded number of steps", () => {
  const random = new Random(5);
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from({ length: 8 * (1 + random.below(8)) }, () => random.below(256));
    try {
      new Interpreter({ stepLimit: 1000 }).run({ code: bytes, relocations: [] });
    } catch (error) {
      assert.ok(error instanceof InterpreterError, String(error));
    }
  }
});

test("wild accesses, endless loops and missing exits are noticed", () => {
  const run = (bytes: Uint8Array): bigint => new Interpreter({ stepLimit: 100 }).run({ code: bytes, relocations: [] });
  assert.throws(() => run(code([0x79, 0, 10, 0, 0], [0x95, 0, 0, 0, 0])), /read of 8 bytes/);
  assert.throws(() => run(code([0x7a, 1, 0, 0, 0], [0x95, 0, 0, 0, 0])), /write of 8 bytes/);
  assert.throws(() => run(code([0x05, 0, 0, -1, 0])), /more than 100 steps/);
  assert.throws(() => run(code([0xb7, 0, 0, 0, 0])), /outside the program/);
  assert.equal(run(code([0xb7, 0, 0, 0, -1], [0x95, 0, 0, 0, 0])), 0xffff_ffff_ffff_ffffn);
});
