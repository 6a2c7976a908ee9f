import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC,
  BPF_DIV,
  BPF_DW,
  BPF_END,
  BPF_FETCH,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_K,
  BPF_LSH,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_STX,
  BPF_SUB,
  BPF_TO_BE,
  BPF_W,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
} from "../abi/bpf-insn.js";
import { assertNever } from "../base/assert-never.js";
import type { AtomicOp, BinOp, CmpOp, IrInstr, Value } from "../ir/ir.js";
import { commutative, mirrored } from "../ir/ops.js";
import type { MInsn, Reg } from "./machine.js";
import { fits32, type SelectContext } from "./select-context.js";
import { selectCopy, selectZero } from "./select-memory.js";

const binCode: Readonly<Record<BinOp, number>> = {
  add: BPF_ADD,
  sub: BPF_SUB,
  mul: BPF_MUL,
  udiv: BPF_DIV,
  umod: BPF_MOD,
  sdiv: BPF_DIV,
  smod: BPF_MOD,
  and: BPF_AND,
  or: BPF_OR,
  xor: BPF_XOR,
  shl: BPF_LSH,
  lshr: BPF_RSH,
  ashr: BPF_ARSH,
};

const jumpCode: Readonly<Record<CmpOp, number>> = {
  eq: BPF_JEQ,
  ne: BPF_JNE,
  ult: BPF_JLT,
  ule: BPF_JLE,
  ugt: BPF_JGT,
  uge: BPF_JGE,
  slt: BPF_JSLT,
  sle: BPF_JSLE,
  sgt: BPF_JSGT,
  sge: BPF_JSGE,
};

const atomicCode: Readonly<Record<AtomicOp, number>> = {
  add: BPF_ADD,
  or: BPF_OR,
  and: BPF_AND,
  xor: BPF_XOR,
  xchg: BPF_XCHG,
};

/** Operations whose low 32 bits depend on their operands' low 32 bits alone. */
const lowHalfOps: ReadonlySet<BinOp> = new Set(["add", "sub", "mul", "and", "or", "xor"]);
const shifts: ReadonlySet<BinOp> = new Set(["shl", "lshr", "ashr"]);

/** Marks what the instruction computes within itself: the operand of a 32-bit operation that zero-extends for free. */
export function markFused(c: SelectContext, instr: IrInstr): void {
  if (instr.op !== "ext" || instr.signed || instr.width !== 4 || (c.uses[instr.a] ?? 0) !== 1) return;
  const inner = c.definition(instr.a);
  if (inner?.op === "bin" && lowHalfOps.has(inner.bin)) c.fused.add(instr.a);
}

export function selectInstr(c: SelectContext, instr: IrInstr): void {
  c.span = instr.span;
  switch (instr.op) {
    case "const":
    case "ctx":
    case "param":
    case "slot":
    case "map":
    case "mapvalue":
    case "funcref":
      return; // made where they are used
    case "cookie":
      selectCookie(c, instr.dst);
      return;
    case "bin":
      if (!c.fused.has(instr.dst)) selectBin(c, instr);
      return;
    case "ext":
      selectExt(c, instr);
      return;
    case "bswap": {
      const dst = c.registerFor(instr.dst);
      c.load(instr.a, dst);
      // The machines are little-endian, so "to big endian" swaps; it zero-extends.
      c.emit(BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, instr.width * 8);
      return;
    }
    case "cmp":
      selectCmp(c, instr);
      return;
    case "load":
      selectLoad(c, instr);
      return;
    case "store": {
      const imm = c.constant(instr.value);
      const narrow = imm === undefined ? undefined : BigInt.asIntN(Math.min(64, instr.width * 8), imm);
      const to = c.address(instr.base, instr.offset, instr.width);
      if (narrow !== undefined && fits32(narrow)) {
        c.emitStoreImmediate(instr.width, to, Number(narrow));
        return;
      }
      c.emitStore(instr.width, to, c.use(instr.value));
      return;
    }
    case "atomic":
      selectAtomic(c, instr);
      return;
    case "zero":
      selectZero(c, instr);
      return;
    case "copy":
      selectCopy(c, instr);
      return;
    case "call":
    case "callkernel":
    case "callfunc":
      instr.args.forEach((arg, i) => {
        c.load(arg, i + 1);
      });
      if (instr.op === "call") c.emitCall(instr.helper, instr.args.length);
      else if (instr.op === "callkernel") c.emitCallKernel(instr.id, instr.args.length);
      else c.emitCallFunction(instr.func, instr.args.length);
      if (instr.dst !== undefined && (c.uses[instr.dst] ?? 0) > 0) c.move(c.registerFor(instr.dst), 0);
      return;
    default:
      assertNever(instr);
      return;
  }
}

function selectCookie(c: SelectContext, value: Value): void {
  const dst = c.registerFor(value);
  if (c.options.cookie === "constant") {
    c.loadReference(dst, { kind: "cookie" });
    return;
  }
  c.move(1, c.context);
  c.emitCall("get_attach_cookie", 1);
  c.move(dst, 0);
}

function selectLoad(c: SelectContext, instr: IrInstr & { op: "load" }): void {
  const from = c.address(instr.base, instr.offset, instr.width);
  const dst = c.registerFor(instr.dst);
  if (!instr.signed || instr.width === 8) {
    c.emitLoad(instr.width, dst, from);
    return;
  }
  if (c.options.cpuV4) {
    c.emitLoad(instr.width, dst, from, BPF_MEMSX);
    return;
  }
  c.emitLoad(instr.width, dst, from);
  extendSign(c, dst, instr.width);
}

function extendSign(c: SelectContext, dst: Reg, width: number): void {
  const by = 64 - width * 8;
  c.emit(BPF_ALU64 | BPF_LSH | BPF_K, dst, 0, 0, by);
  c.emit(BPF_ALU64 | BPF_ARSH | BPF_K, dst, 0, 0, by);
}

function selectExt(c: SelectContext, instr: IrInstr & { op: "ext" }): void {
  const dst = c.registerFor(instr.dst);
  if (instr.signed) {
    if (c.options.cpuV4) {
      c.emit(BPF_ALU64 | BPF_MOV | BPF_X, dst, c.use(instr.a), instr.width * 8, 0);
      return;
    }
    c.load(instr.a, dst);
    extendSign(c, dst, instr.width);
    return;
  }
  if (instr.width === 4) {
    const inner = c.definition(instr.a);
    if (inner?.op === "bin" && c.fused.has(instr.a)) {
      selectLowHalf(c, inner, dst);
      return;
    }
    c.emit(BPF_ALU | BPF_MOV | BPF_X, dst, c.use(instr.a), 0, 0);
    return;
  }
  c.load(instr.a, dst);
  c.emit(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, instr.width === 1 ? 0xff : 0xffff);
}

/** The operation on 32 bits, which zero-extends its result. */
function selectLowHalf(c: SelectContext, instr: IrInstr & { op: "bin" }, dst: Reg): void {
  const [a, b] = ordered(c, instr);
  const constant = c.constant(b);
  c.load(a, dst);
  if (constant === undefined) {
    c.emit(BPF_ALU | binCode[instr.bin] | BPF_X, dst, c.use(b), 0, 0);
    return;
  }
  c.emit(BPF_ALU | binCode[instr.bin] | BPF_K, dst, 0, 0, Number(BigInt.asIntN(32, constant)));
}

/** Constants go to the right; else the operand whose last use this may be goes to the left, to share its register. */
function ordered(c: SelectContext, { bin, a, b }: IrInstr & { op: "bin" }): readonly [Value, Value] {
  if (!commutative.has(bin) || c.constant(b) !== undefined) return [a, b];
  if (c.constant(a) !== undefined) return [b, a];
  const singleUse = (value: Value): boolean => (c.uses[value] ?? 0) === 1;
  return (singleUse(b) || c.rematerialized(b)) && !(singleUse(a) || c.rematerialized(a)) ? [b, a] : [a, b];
}

function selectBin(c: SelectContext, instr: IrInstr & { op: "bin" }): void {
  const dst = c.registerFor(instr.dst);
  if (instr.bin === "sdiv" || instr.bin === "smod") {
    selectSigned(c, instr, instr.bin, dst);
    return;
  }
  if (instr.bin === "add" || instr.bin === "sub") {
    const { root } = c.base(instr.dst, 0);
    const based = c.definition(root)?.op;
    if (based === "slot" || based === "mapvalue") {
      c.loadPlus(dst, instr.dst, 0);
      return;
    }
  }
  const [a, b] = ordered(c, instr);
  const code = binCode[instr.bin];
  let constant = c.constant(b);
  if (constant !== undefined) {
    if (shifts.has(instr.bin)) constant &= 63n;
    // The verifier refuses a constant divisor of 0 (check_alu_op(), v6.18 kernel/bpf/verifier.c).
    if (constant === 0n && instr.bin === "udiv") {
      c.loadConstant(dst, 0n);
      return;
    }
    if (constant === 0n && instr.bin === "umod") {
      c.load(a, dst);
      return;
    }
    if (instr.bin === "and" && constant === 0xffff_ffffn) {
      c.emit(BPF_ALU | BPF_MOV | BPF_X, dst, c.use(a), 0, 0);
      return;
    }
    if (instr.bin === "and" && constant > 0n && constant < 1n << 32n && !fits32(constant)) {
      c.load(a, dst);
      c.emit(BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, Number(BigInt.asIntN(32, constant)));
      return;
    }
    if (fits32(constant)) {
      c.load(a, dst);
      c.emit(BPF_ALU64 | code | BPF_K, dst, 0, 0, Number(constant));
      return;
    }
  }
  if (instr.bin === "sub" && c.constant(a) === 0n) {
    c.load(b, dst);
    c.emit(BPF_ALU64 | BPF_NEG, dst, 0, 0, 0);
    return;
  }
  const right = c.use(b);
  c.load(a, dst);
  c.emit(BPF_ALU64 | code | BPF_X, dst, right, 0, 0);
}

/**
 * Signed division and remainder. The instruction of cpu v4 serves constant divisors other than -1: with -1 and the most
 * negative dividend it trapped on x86-64 before v6.12 ("bpf: Fix a sdiv overflow issue"). Everything else is done on
 * absolute values without a branch; all of this gives x/0 = 0 and x%0 = x.
 */
function selectSigned(c: SelectContext, instr: IrInstr & { op: "bin" }, bin: "sdiv" | "smod", dst: Reg): void {
  const { a, b } = instr;
  const divisor = c.constant(b);
  const code = bin === "sdiv" ? BPF_DIV : BPF_MOD;
  if (divisor !== undefined && divisor !== 0n && divisor !== -1n && fits32(divisor) && c.options.cpuV4) {
    c.load(a, dst);
    c.emit(BPF_ALU64 | code | BPF_K, dst, 0, 1, Number(divisor));
    return;
  }
  const alu = (op: number, to: Reg, from: Reg): void => c.emit(BPF_ALU64 | op | BPF_X, to, from, 0, 0);
  /** abs(v) = (v ^ sign) - sign, sign being 0 or -1. */
  const absolute = (value: Value): { sign: Reg; magnitude: Reg } => {
    const sign = c.newRegister();
    const magnitude = c.newRegister();
    c.load(value, sign);
    c.move(magnitude, sign);
    c.emit(BPF_ALU64 | BPF_ARSH | BPF_K, sign, 0, 0, 63);
    alu(BPF_XOR, magnitude, sign);
    alu(BPF_SUB, magnitude, sign);
    return { sign, magnitude };
  };
  const left = absolute(a);
  const right = absolute(b);
  c.move(dst, left.magnitude);
  alu(code, dst, right.magnitude);
  const sign = left.sign;
  if (bin === "sdiv") alu(BPF_XOR, sign, right.sign);
  alu(BPF_XOR, dst, sign);
  alu(BPF_SUB, dst, sign);
}

function selectAtomic(c: SelectContext, instr: IrInstr & { op: "atomic" }): void {
  const to = c.address(instr.base, instr.offset, instr.width);
  const fetch = instr.dst !== undefined || instr.atomic === "xchg";
  let src: Reg;
  if (fetch) {
    src = instr.dst === undefined ? c.newRegister() : c.registerFor(instr.dst);
    c.load(instr.value, src);
  } else src = c.use(instr.value);
  const code = BPF_STX | BPF_ATOMIC | (instr.width === 8 ? BPF_DW : BPF_W);
  const slot = to.slot === undefined ? undefined : { slot: to.slot };
  c.emit(code, to.base ?? 0, src, to.offset, atomicCode[instr.atomic] | (fetch ? BPF_FETCH : 0), slot);
}

function selectCmp(c: SelectContext, instr: IrInstr & { op: "cmp" }): void {
  const dst = c.registerFor(instr.dst);
  const jump = condition(c, instr.cmp, instr.a, instr.b);
  c.loadConstant(dst, 1n);
  c.insns.push({ ...jump, result: dst });
}

/** The jump that is taken if `a cmp b` holds, its target left open. */
export function condition(c: SelectContext, cmp: CmpOp, a: Value, b: Value): MInsn {
  if (c.constant(a) !== undefined && c.constant(b) === undefined) return condition(c, mirrored[cmp], b, a);
  const { span } = c;
  const constant = c.constant(b);
  const code = jumpCode[cmp];
  if (constant !== undefined) {
    const tested = testedBits(c, cmp, a, constant);
    if (tested !== undefined) return tested;
    const dst = c.use(a);
    if (fits32(constant)) return { code: BPF_JMP | code | BPF_K, dst, src: 0, off: 0, imm: Number(constant), span };
    // A 32-bit compare where both sides are zero-extended, so that the low halves decide and the constant is free.
    const unsigned = cmp === "eq" || cmp === "ne" || cmp.startsWith("u");
    if (unsigned && (c.bits[a] ?? 64) <= 32 && constant > 0n && constant < 1n << 32n) {
      const imm = Number(BigInt.asIntN(32, constant));
      return { code: BPF_JMP32 | code | BPF_K, dst, src: 0, off: 0, imm, span };
    }
    return { code: BPF_JMP | code | BPF_X, dst, src: c.use(b), off: 0, imm: 0, span };
  }
  return { code: BPF_JMP | code | BPF_X, dst: c.use(a), src: c.use(b), off: 0, imm: 0, span };
}

/** `(x & mask) != 0` as one instruction. */
function testedBits(c: SelectContext, cmp: CmpOp, a: Value, constant: bigint): MInsn | undefined {
  if (cmp !== "ne" || constant !== 0n || !c.fused.has(a)) return undefined;
  const inner = c.definition(a);
  if (inner?.op !== "bin") return undefined;
  const [x, mask] = ordered(c, inner);
  const imm = c.immediate(mask);
  if (imm !== undefined) {
    return { code: BPF_JMP | BPF_JSET | BPF_K, dst: c.use(x), src: 0, off: 0, imm, span: c.span };
  }
  return { code: BPF_JMP | BPF_JSET | BPF_X, dst: c.use(x), src: c.use(mask), off: 0, imm: 0, span: c.span };
}

/** Marks a mask that the branch tests itself; `eq` is turned round by the caller. */
export function markTested(c: SelectContext, cmp: CmpOp, a: Value, b: Value): void {
  if ((cmp !== "ne" && cmp !== "eq") || c.constant(b) !== 0n || (c.uses[a] ?? 0) !== 1) return;
  const inner = c.definition(a);
  if (inner?.op === "bin" && inner.bin === "and") c.fused.add(a);
}
