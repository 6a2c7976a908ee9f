import assert from "node:assert/strict";
import { test } from "node:test";
import { type OperandSyntax, parseUsdtArguments } from "./usdt-arguments.js";
import { resolveOperand, type UsdtOperand } from "./usdt-operand.js";

const operands = (text: string, arch: OperandSyntax = "x86_64"): readonly UsdtOperand[] =>
  parseUsdtArguments(text, arch).map(({ operand }) => operand);
const register = (name: string, width: 1 | 2 | 4 | 8, shift = 0) =>
  ({ kind: "register", register: { name, width, shift } }) as const;
const at = (base: string | undefined, offset: bigint, more: object = {}, width: 4 | 8 = 8) => ({
  kind: "memory",
  address: {
    base: base === undefined ? undefined : { name: base, width, shift: 0 },
    index: undefined,
    offset,
    ...more,
  },
});
const scaled = (name: string, shift: number, signed = false, width: 4 | 8 = 8) => ({
  index: { register: { name, width, shift: 0 }, signed, shift },
});
const reasons = (text: string, arch: OperandSyntax = "x86_64"): readonly string[] =>
  operands(text, arch).map((operand) => (operand.kind === "unknown" ? operand.reason : operand.kind));

test("sizes and signs", () => {
  const all = parseUsdtArguments("8@%rax -8@%rax 4@%eax -2@%ax 1@%al -1@%al %rdi", "x86_64");
  assert.deepEqual(
    all.map(({ size, signed }) => (signed ? -size : size)),
    [8, -8, 4, -2, 1, -1, 8],
  );
  assert.deepEqual(parseUsdtArguments("  ", "x86_64"), []);
});

test("registers of x86-64 by all their names", () => {
  assert.deepEqual(operands("8@%rax 4@%eax 2@%ax 1@%al 1@%ah 1@%sil 4@%r10d 2@%r11w 1@%r12b 8@%r15 4@%esp 8@%rip"), [
    register("ax", 8),
    register("ax", 4),
    register("ax", 2),
    register("ax", 1),
    register("ax", 1, 8),
    register("si", 1),
    register("r10", 4),
    register("r11", 2),
    register("r12", 1),
    register("r15", 8),
    register("sp", 4),
    register("ip", 8),
  ]);
});

test("constants and memory of x86-64", () => {
  assert.deepEqual(operands("4@$-202182160 8@$0x10 8@$name+4"), [
    { kind: "constant", value: -202182160n },
    { kind: "constant", value: 16n },
    { kind: "address", address: { base: undefined, index: undefined, symbol: "name", offset: 4n } },
  ]);
  assert.deepEqual(
    operands("8@-72(%rbp) 8@(%rax) 4@8(%esp) 8@-80(%rbp,%rax,8) 8@(,%rcx,4) 8@16(%rax,%rcx) 4@4210752"),
    [
      at("bp", -72n),
      at("ax", 0n),
      at("sp", 8n, {}, 4),
      at("bp", -80n, scaled("ax", 3)),
      at(undefined, 0n, scaled("cx", 2)),
      at("ax", 16n, scaled("cx", 0)),
      at(undefined, 4210752n),
    ],
  );
  assert.deepEqual(operands("4@counter(%rip) 4@table+16(%rip) 4@8+.LC0(%rip) 4@state.0(,%rax,4) 4@global"), [
    at("ip", 0n, { symbol: "counter" }),
    at("ip", 16n, { symbol: "table" }),
    at("ip", 8n, { symbol: ".LC0" }),
    at(undefined, 0n, { ...scaled("ax", 2), symbol: "state.0" }),
    at(undefined, 0n, { symbol: "global" }),
  ]);
});

test("operands of arm64", () => {
  assert.deepEqual(operands("8@x0 -4@w19 8@sp 4@wzr -4@-7 8@[x1] -8@[sp, 16] 8@[x29, #-24] 1@[x0, x1]", "arm64"), [
    register("x0", 8),
    register("x19", 4),
    register("sp", 8),
    { kind: "constant", value: 0n },
    { kind: "constant", value: -7n },
    at("x1", 0n),
    at("sp", 16n),
    at("x29", -24n),
    at("x0", 0n, scaled("x1", 0)),
  ]);
  assert.deepEqual(operands("4@[x0, x1, lsl 2] 4@[x0, w1, sxtw #2] 4@[x0, w1, uxtw] 8@[x3, :lo12:table+8]", "arm64"), [
    at("x0", 0n, scaled("x1", 2)),
    at("x0", 0n, scaled("x1", 2, true, 4)),
    at("x0", 0n, scaled("x1", 0, false, 4)),
    at(undefined, 8n, { symbol: "table" }),
  ]);
});

test("what is not understood says why", () => {
  assert.match(reasons("8f@%xmm0")[0]!, /floating point/);
  assert.match(reasons("8@%xmm0")[0]!, /vector registers/);
  assert.match(reasons("8@%foo")[0]!, /no register %foo/);
  assert.match(reasons("16@%rax")[0]!, /16 bytes/);
  assert.match(reasons("8@(%rax,%rbx,3)")[0]!, /scale/);
  assert.match(reasons("8@%fs:16")[0]!, /no register/);
  assert.match(reasons("8@1-2-3(%rax)")[0]!, /displacement/);
  assert.match(reasons("8@[x0, x1, ror 2]", "arm64")[0]!, /index/);
  assert.match(reasons("8@d0", "arm64")[0]!, /floating point/);
  // GCC 14 writes this for a variable of the file at -O2.
  assert.match(reasons("-8@[x3, #:lo12:.LANCHOR0]", "arm64")[0]!, /LANCHOR0 is GCC's own label.*-fno-section-anchors/);
});

test("symbols become addresses, or distances from the probe where the file can be loaded anywhere", () => {
  const addresses: Readonly<Record<string, bigint>> = { counter: 0x4010n };
  const resolve = (text: string, relocated: boolean) =>
    resolveOperand(operands(text)[0]!, { address: 0x1000n, relocated, instructionPointer: "ip" }, (n) => addresses[n]);
  assert.deepEqual(resolve("4@counter+4(%rip)", false), at(undefined, 0x4014n));
  assert.deepEqual(resolve("4@counter+4(%rip)", true), at("ip", 0x3014n));
  assert.deepEqual(resolve("4@counter(,%rax,4)", false), at(undefined, 0x4010n, scaled("ax", 2)));
  assert.deepEqual(resolve("4@counter(%rax)", false), at("ax", 0x4010n));
  assert.equal(resolve("4@counter(%rax)", true).kind, "unknown");
  assert.deepEqual(resolve("8@$counter", true), { ...at("ip", 0x3010n), kind: "address" });
  assert.deepEqual(resolve("8@nothing(%rip)", true), { kind: "unknown", reason: "the file has no symbol 'nothing'" });
  assert.deepEqual(resolve("8@-8(%rip)", true), at("ip", -8n));
});
