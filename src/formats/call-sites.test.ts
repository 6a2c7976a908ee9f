import assert from "node:assert/strict";
import { test } from "node:test";
import { endsWithCall } from "./call-sites.js";
import { EM_AARCH64, EM_X86_64 } from "./elf.js";

const ends = (machine: number, hex: string): boolean | undefined =>
  endsWithCall(Buffer.from(hex.replaceAll(" ", ""), "hex"), machine);

test("x86-64: calls of every length, and what is none", () => {
  // call rel32; call *%rax; call *%r10; call *(%rax); call *(%rsp); call *8(%rax); call *8(%rsp); call *0x100(%rax);
  // call *0x100(%rsp); call *0x100(%rip); call *0x100(,%rax,8)
  const calls = ["e8 01020304", "ffd0", "41 ffd2", "ff10", "ff1424", "ff5008", "ff542408", "ff9000010000"];
  const more = ["ff942400010000", "ff1500010000", "ff14c500010000"];
  for (const call of [...calls, ...more]) {
    assert.equal(ends(EM_X86_64, `909090909090 ${call}`), true, call);
    assert.equal(ends(EM_X86_64, `909090909090 ${call} 90`), false, call);
  }
  // jmp rel32; jmp *%rax; ret; push; the middle of a call.
  for (const other of ["e9 01020304", "ffe0", "c3", "fff0", "e8 010203"])
    assert.equal(ends(EM_X86_64, `909090909090 ${other}`), false, other);
  assert.equal(ends(EM_X86_64, ""), false);
});

test("arm64: bl, blr, blraa, and what is none", () => {
  for (const call of ["04000094", "00023fd6", "41083fd7", "1f083fd6"]) assert.equal(ends(EM_AARCH64, call), true, call);
  for (const other of ["04000014", "00021fd6", "c0035fd6", "1f2003d5"])
    assert.equal(ends(EM_AARCH64, other), false, other);
  assert.equal(ends(40, "04000094"), undefined);
});
