import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { beginsInstruction, instructionLength } from "./x86-instructions.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.split(" ").map((each) => Number.parseInt(each, 16)));

/** As GNU as encodes them. */
const known: Readonly<Record<string, string>> = {
  "push %rbp": "55",
  "mov %rsp,%rbp": "48 89 e5",
  "sub $0x10,%rsp": "48 83 ec 10",
  "sub $0x1000,%rsp": "48 81 ec 00 10 00 00",
  "mov 0x8(%rsp),%eax": "8b 44 24 08",
  "mov 0x1234(%rip),%rax": "48 8b 05 34 12 00 00",
  "mov 0x10(,%rax,8),%rax": "48 8b 04 c5 10 00 00 00",
  "mov (%r12),%eax": "41 8b 04 24",
  "mov 0x0(%r13),%eax": "41 8b 45 00",
  "movabs $0x1122334455667788,%rax": "48 b8 88 77 66 55 44 33 22 11",
  "mov $0x1,%eax": "b8 01 00 00 00",
  "mov $0x1,%ax": "66 b8 01 00",
  "movq $0x1,(%rax)": "48 c7 00 01 00 00 00",
  "movw $0x1,(%rax)": "66 c7 00 01 00",
  "movabs 0x1122334455667788,%al": "a0 88 77 66 55 44 33 22 11",
  "test $0x1,%dil": "40 f6 c7 01",
  "not %al": "f6 d0",
  "testl $0x1,(%rax)": "f7 00 01 00 00 00",
  "testw $0x1,(%rax)": "66 f7 00 01 00",
  "neg %rax": "48 f7 d8",
  "je short": "74 05",
  "je near": "0f 84 00 01 00 00",
  "call rel32": "e8 00 00 00 00",
  "data16 call rel32": "66 e8 00 00 00 00",
  "call *0x0(%rip)": "ff 15 00 00 00 00",
  "enter $0x10,$0x1": "c8 10 00 01",
  "ret $0x8": "c2 08 00",
  "nopw 0x0(%rax,%rax,1)": "66 0f 1f 44 00 00",
  "data16 cs nopw 0x0(%rax,%rax,1)": "66 66 2e 0f 1f 84 00 00 00 00 00",
  endbr64: "f3 0f 1e fa",
  "lock cmpxchg %ecx,(%rdx)": "f0 0f b1 0a",
  "rep stos": "f3 48 ab",
  "imul $0x64,%rax,%rax": "48 6b c0 64",
  "imul $0x1000,%ax,%ax": "66 69 c0 00 10",
  "shld $0x4,%eax,%ebx": "0f a4 c3 04",
  "bt $0x3,%eax": "0f ba e0 03",
  "pshufd $0x1b,%xmm0,%xmm1": "66 0f 70 c8 1b",
  "pshufb %xmm0,%xmm1": "66 0f 38 00 c8",
  "palignr $0x8,%xmm0,%xmm1": "66 0f 3a 0f c8 08",
  vzeroupper: "c5 f8 77",
  "vpshufd $0x1b,%ymm0,%ymm1": "c5 fd 70 c8 1b",
  "vpbroadcastb %xmm0,%ymm0": "c4 e2 7d 78 c0",
  "vpalignr $0x8,%ymm0,%ymm1,%ymm2": "c4 e3 75 0f d0 08",
  "vmovdqu64 0x40(%rsi),%zmm16": "62 e1 fe 48 6f 46 01",
  "vpternlogd $0xff,%zmm0,%zmm0,%zmm0": "62 f3 7d 48 25 c0 ff",
  "pop (%rax)": "8f 00",
  "vpmacsww %xmm0,%xmm1,%xmm2,%xmm3": "8f e8 68 95 d9 00",
  syscall: "0f 05",
  "mov %fs:0x28,%rax": "64 48 8b 04 25 28 00 00 00",
  "addr32 mov (%eax),%eax": "67 8b 00",
};

test("lengths of instructions", () => {
  for (const [text, hex] of Object.entries(known)) {
    const code = bytes(hex);
    assert.equal(instructionLength(code, 0), code.length, text);
    assert.equal(instructionLength(Uint8Array.of(...code, 0x90), 0), code.length, `${text}, more behind it`);
    assert.equal(instructionLength(code.subarray(0, -1), 0) === code.length, false, `${text}, cut`);
  }
});

test("what does not exist in 64-bit code, and what is too long", () => {
  for (const hex of ["06", "27", "60", "82 00 00", "9a 00", "d6", "ea 00", "0f 04", "0f 0a", "0f 24 c0"])
    assert.equal(instructionLength(bytes(`${hex} 00 00 00 00 00 00 00 00`), 0), undefined, hex);
  assert.equal(instructionLength(new Uint8Array(20).fill(0x66), 0), undefined);
});

test("where instructions begin", () => {
  const code = bytes("55 48 89 e5 48 83 ec 10 06 90");
  const begins = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((offset) => beginsInstruction(code, offset));
  assert.deepEqual(begins, [true, true, false, false, true, false, false, false, true, undefined]);
});

test("any bytes have a length from 1 to 15, or none", () => {
  const random = randomNumbers(1);
  for (let round = 0; round < 20_000; round++) {
    const code = Uint8Array.from({ length: 1 + random(20) }, () => random(256));
    const length = instructionLength(code, 0);
    assert.ok(length === undefined || (length >= 1 && length <= 15 && length <= code.length));
  }
});
