import {
  BPF_ADD,
  BPF_ALU64,
  BPF_B,
  BPF_CALL,
  BPF_DW,
  BPF_H,
  BPF_JMP,
  BPF_K,
  BPF_LDX,
  BPF_MEM,
  BPF_MOV,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_X,
  loadImm64,
} from "../abi/bpf-insn.js";
import { helpers } from "../abi/helpers.js";
import type { Span } from "../base/span.js";
import type { IrFunction, IrInstr, Value, Width } from "../ir/ir.js";
import { knownBits } from "../ir/known-bits.js";
import { operandsOf, resultOf, usesOfEnd } from "../ir/ops.js";
import { firstVirtual, loadAddress, type MInsn, type Reference, type Reg } from "./machine.js";

export interface SelectOptions {
  /** Instructions of cpu v4 (kernel 6.6): sign extension, signed division, 32-bit jumps. */
  readonly cpuV4: boolean;
  /** Where the attach cookie comes from: the helper, or a constant that the loader puts in. */
  readonly cookie: "helper" | "constant";
}

/** A memory operand: a slot or a register, and an offset that fits the instruction. */
export type Address =
  | { readonly slot: number; readonly base: undefined; readonly offset: number }
  | { readonly slot: undefined; readonly base: Reg; readonly offset: number };

const widthCode: Readonly<Record<Width, number>> = { 1: BPF_B, 2: BPF_H, 4: BPF_W, 8: BPF_DW };
const fits16 = (n: number): boolean => n >= -0x8000 && n <= 0x7fff;
/** Constants that an instruction can carry: 32 bits, sign-extended. */
export const fits32 = (v: bigint): boolean => BigInt.asIntN(32, v) === v;

/** What instruction selection knows of the function, and the primitives that it emits with. */
export class SelectContext {
  readonly fn: IrFunction;
  readonly options: SelectOptions;
  /** By value: the most low bits that may be set. */
  readonly bits: Uint8Array;
  readonly uses: Uint32Array;
  /** Values that their only user computes itself: no instruction of their own. */
  readonly fused = new Set<Value>();
  span: Span | undefined;
  insns: MInsn[] = [];
  nextRegister = firstVirtual;
  private readonly definitions: (IrInstr | undefined)[];
  private readonly registers = new Map<Value, Reg>();
  private readonly slotSizes: ReadonlyMap<number, number>;
  private contextRegister: Reg | undefined;
  private readonly paramRegisters = new Map<number, Reg>();
  /** Addresses of map values in registers since the start of the block or the last call. */
  private mapValues = new Map<string, { readonly reg: Reg; readonly offset: number }>();

  constructor(fn: IrFunction, options: SelectOptions) {
    this.fn = fn;
    this.options = options;
    this.bits = knownBits(fn);
    this.uses = new Uint32Array(fn.values);
    this.slotSizes = new Map(fn.slots.map((slot) => [slot.id, slot.size]));
    this.definitions = new Array<IrInstr | undefined>(fn.values).fill(undefined);
    const count = (value: Value): void => {
      this.uses[value] = (this.uses[value] ?? 0) + 1;
    };
    for (const block of fn.blocks) {
      for (const instr of block.instrs) {
        const dst = resultOf(instr);
        if (dst !== undefined) this.definitions[dst] = instr;
        operandsOf(instr).forEach(count);
        if (instr.op === "ctx" || (instr.op === "cookie" && options.cookie === "helper")) {
          this.contextRegister ??= this.newRegister();
        }
        if (instr.op === "param" && !this.paramRegisters.has(instr.index)) {
          this.paramRegisters.set(instr.index, this.newRegister());
        }
      }
      usesOfEnd(block.end).forEach(count);
    }
  }

  slotSize(id: number): number {
    return this.slotSizes.get(id) ?? 0;
  }

  newRegister(): Reg {
    return this.nextRegister++;
  }

  /** Saves the arguments; belongs at the start of the entry block. */
  emitEntry(): void {
    if (this.contextRegister !== undefined) this.move(this.contextRegister, 1);
    for (const [index, reg] of this.paramRegisters) this.move(reg, index + 1);
  }

  startBlock(): void {
    this.insns = [];
    this.mapValues.clear();
  }

  definition(value: Value): IrInstr | undefined {
    return this.definitions[value];
  }

  constant(value: Value): bigint | undefined {
    const instr = this.definitions[value];
    return instr?.op === "const" ? instr.value : undefined;
  }

  /** A constant that fits an instruction's immediate. */
  immediate(value: Value): number | undefined {
    const constant = this.constant(value);
    return constant !== undefined && fits32(constant) ? Number(constant) : undefined;
  }

  emit(
    code: number,
    dst: Reg,
    src: Reg,
    off: number,
    imm: number,
    extra?: Pick<MInsn, "wide" | "ref" | "slot" | "args" | "result">,
  ): void {
    this.insns.push({ code, dst, src, off, imm, span: this.span, ...extra });
  }

  move(dst: Reg, src: Reg): void {
    this.emit(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
  }

  loadConstant(dst: Reg, constant: bigint): void {
    if (fits32(constant)) this.emit(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, Number(constant));
    else this.emit(loadImm64, dst, 0, 0, 0, { wide: constant });
  }

  loadReference(dst: Reg, ref: Reference): void {
    this.emit(loadImm64, dst, 0, 0, 0, { wide: 0n, ref });
  }

  /** The register that an instruction or a block parameter defines. */
  registerFor(value: Value): Reg {
    let reg = this.registers.get(value);
    if (reg === undefined) {
      reg = this.newRegister();
      this.registers.set(value, reg);
    }
    return reg;
  }

  /** Whether the value is made anew at each use, so that it never occupies a register for long. */
  rematerialized(value: Value): boolean {
    switch (this.definitions[value]?.op) {
      case "const":
      case "slot":
      case "map":
      case "mapvalue":
      case "funcref":
      case "ctx":
      case "param":
        return true;
      default:
        return false;
    }
  }

  /** A register that holds the value; must not be written. */
  use(value: Value): Reg {
    const instr = this.definitions[value];
    if (instr?.op === "ctx") return this.contextRegister ?? 1;
    if (instr?.op === "param") return this.paramRegisters.get(instr.index) ?? instr.index + 1;
    if (instr?.op === "mapvalue") {
      const { reg, offset } = this.mapValue(instr.map, instr.offset);
      if (offset === instr.offset) return reg;
      const dst = this.newRegister();
      this.move(dst, reg);
      this.emit(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, instr.offset - offset);
      return dst;
    }
    if (!this.rematerialized(value)) return this.registerFor(value);
    const dst = this.newRegister();
    this.load(value, dst);
    return dst;
  }

  /** Puts the value into `dst`. */
  load(value: Value, dst: Reg): void {
    const instr = this.definitions[value];
    switch (instr?.op) {
      case "const":
        this.loadConstant(dst, instr.value);
        return;
      case "slot":
        this.emit(loadAddress, dst, 0, 0, 0, { slot: instr.slot });
        return;
      case "map":
        this.loadReference(dst, { kind: "map", map: instr.map });
        return;
      case "mapvalue":
        this.loadReference(dst, { kind: "mapvalue", map: instr.map, offset: instr.offset });
        return;
      case "funcref":
        this.loadReference(dst, { kind: "func", func: instr.func });
        return;
      default:
        this.loadPlus(dst, value, 0);
        return;
    }
  }

  /** Puts `value + offset` into `dst`; an address in a slot or a map value is one load. */
  loadPlus(dst: Reg, value: Value, offset: number): void {
    const sum = this.base(value, offset);
    const instr = this.definitions[sum.root];
    if (instr?.op === "slot") {
      this.emit(loadAddress, dst, 0, sum.offset, 0, { slot: instr.slot });
      return;
    }
    if (instr?.op === "mapvalue" && instr.offset + sum.offset >= 0) {
      this.loadReference(dst, { kind: "mapvalue", map: instr.map, offset: instr.offset + sum.offset });
      return;
    }
    this.move(dst, this.use(value));
    if (offset !== 0) this.emit(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, offset);
  }

  /** Follows additions of constants to what the address is based on. */
  base(value: Value, offset: number): { readonly root: Value; readonly offset: number } {
    let root = value;
    let total = offset;
    for (;;) {
      const instr = this.definitions[root];
      if (instr?.op !== "bin" || (instr.bin !== "add" && instr.bin !== "sub")) break;
      const by = this.immediate(instr.b);
      if (by === undefined) break;
      const next = instr.bin === "add" ? total + by : total - by;
      if (Math.abs(next) >= 2 ** 30) break;
      total = next;
      root = instr.a;
    }
    return { root, offset: total };
  }

  /** `base + offset` as a memory operand of which `size` bytes are accessed, in pieces. */
  address(base: Value, offset: number, size: number): Address {
    const sum = this.base(base, offset);
    const instr = this.definitions[sum.root];
    if (instr?.op === "slot") return { slot: instr.slot, base: undefined, offset: sum.offset };
    if (instr?.op === "mapvalue") {
      const at = this.mapValue(instr.map, instr.offset + sum.offset);
      const inside = instr.offset + sum.offset - at.offset;
      if (fits16(inside) && fits16(inside + size)) return { slot: undefined, base: at.reg, offset: inside };
    }
    if (fits16(sum.offset) && fits16(sum.offset + size)) {
      return { slot: undefined, base: this.use(sum.root), offset: sum.offset };
    }
    const reg = this.newRegister();
    this.move(reg, this.use(sum.root));
    this.emit(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, sum.offset);
    return { slot: undefined, base: reg, offset: 0 };
  }

  /** A register with an address in the map's value, not far from `offset`. */
  private mapValue(map: string, offset: number): { readonly reg: Reg; readonly offset: number } {
    const known = this.mapValues.get(map);
    if (known !== undefined && Math.abs(known.offset - offset) < 0x4000) return known;
    const made = { reg: this.newRegister(), offset };
    this.loadReference(made.reg, { kind: "mapvalue", map, offset });
    this.mapValues.set(map, made);
    return made;
  }

  emitLoad(width: Width, dst: Reg, from: Address, mode = BPF_MEM): void {
    const slot = from.slot === undefined ? undefined : { slot: from.slot };
    this.emit(BPF_LDX | widthCode[width] | mode, dst, from.base ?? 0, from.offset, 0, slot);
  }

  emitStore(width: Width, to: Address, src: Reg): void {
    const slot = to.slot === undefined ? undefined : { slot: to.slot };
    this.emit(BPF_STX | widthCode[width] | BPF_MEM, to.base ?? 0, src, to.offset, 0, slot);
  }

  emitStoreImmediate(width: Width, to: Address, imm: number): void {
    const slot = to.slot === undefined ? undefined : { slot: to.slot };
    this.emit(BPF_ST | widthCode[width] | BPF_MEM, to.base ?? 0, 0, to.offset, imm, slot);
  }

  emitCall(helper: string, args: number): void {
    const known = helpers.get(helper);
    if (known === undefined) throw new Error(`internal: no helper ${helper}`);
    this.emit(BPF_JMP | BPF_CALL, 0, 0, 0, known.id, { args });
    this.mapValues.clear();
  }

  emitCallKernel(id: number, args: number): void {
    this.emit(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id, { args });
    this.mapValues.clear();
  }

  emitCallFunction(func: string, args: number): void {
    this.emit(BPF_JMP | BPF_CALL, 0, 0, 0, 0, { args, ref: { kind: "func", func } });
    this.mapValues.clear();
  }

  /** The context's register for the attach cookie. */
  get context(): Reg {
    if (this.contextRegister === undefined) throw new Error("internal: the context was not asked for");
    return this.contextRegister;
  }
}
