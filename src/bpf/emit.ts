import {
  BPF_CALL,
  BPF_JMP,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  loadImm64,
  maxStack,
} from "../abi/bpf-insn.js";
import { assertNever } from "../base/assert-never.js";
import type { Span } from "../base/span.js";
import type { IrFunction } from "../ir/ir.js";
import { allocateRegisters } from "./allocate.js";
import { type FlatInsn, flatten } from "./encode.js";
import { largestSlots, layOutFrame, StackOverflowError } from "./frame.js";
import type { CodeFunction, Relocation } from "./object.js";
import { select } from "./select.js";

export interface EmitOptions {
  /** Instructions of cpu v4 (kernel 6.6). Looked at only if some would help, so that a getter may ask the kernel. */
  readonly cpuV4: boolean;
  /** Where the attach cookie comes from. */
  readonly cookie: "helper" | "constant";
  /** Atomic operations other than a plain add (kernel 5.12); true if absent. */
  readonly atomicFetch?: boolean;
  /** Machine registers to use, at most 10; for tests of spilling. */
  readonly registers?: number;
}

export interface EmittedFunctions {
  readonly code: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** By 8-byte instruction. */
  readonly spans: readonly (Span | undefined)[];
  /** Bytes of the deepest chain of calls, as the verifier counts them. */
  readonly stackSize: number;
  /** Subprograms need func_info to be callbacks. */
  readonly functions: readonly CodeFunction[];
}

/** Compiles a program (the first function) and the subprograms that it calls into one run of code. */
export function emitFunctions(all: readonly IrFunction[], options: EmitOptions): EmittedFunctions {
  const functions = reachable(all);
  const flat = functions.map((ir) => {
    if (options.atomicFetch === false) refuseFetch(ir);
    const machine = select(ir, options);
    allocateRegisters(machine, options.registers);
    const frame = layOutFrame(ir, machine);
    return { ir, frame, insns: flatten(machine, frame, options) };
  });
  const starts = new Map<string, number>();
  let total = 0;
  for (const { ir, insns } of flat) {
    starts.set(ir.name, total);
    for (const insn of insns) total += insn.code === loadImm64 ? 2 : 1;
  }
  const writer = new Writer(total, starts);
  for (const { insns } of flat) insns.forEach((insn) => void writer.write(insn));
  const stackSize = deepestStack(flat.map(({ ir, frame }) => ({ ir, size: frame.size })));
  const placed = functions.map((ir) => {
    const { name, pointsTo } = ir;
    return { name, insn: starts.get(name) ?? 0, params: paramsOf(ir), pointsTo };
  });
  return { code: writer.code, relocations: writer.relocations, spans: writer.spans, stackSize, functions: placed };
}

/**
 * The program and what it calls. The optimiser may have removed the only call of a subprogram, which the verifier then
 * does not count as one (kernel/bpf/verifier.c, add_subprog_and_kfunc()).
 */
function reachable(all: readonly IrFunction[]): readonly IrFunction[] {
  const byName = new Map(all.map((ir) => [ir.name, ir]));
  const wanted = new Set(all.slice(0, 1));
  for (const ir of wanted) {
    for (const name of calleesOf(ir)) {
      const callee = byName.get(name);
      if (callee !== undefined) wanted.add(callee);
    }
  }
  return all.filter((ir) => wanted.has(ir));
}

/** A program has its context; a subprogram as many as it looks at. */
function paramsOf(ir: IrFunction): number {
  if (ir.pointsTo !== undefined) return ir.pointsTo.length;
  let params = ir.kind === "program" ? 1 : 0;
  for (const block of ir.blocks) {
    for (const instr of block.instrs) if (instr.op === "param") params = Math.max(params, instr.index + 1);
  }
  return params;
}

function refuseFetch(ir: IrFunction): void {
  for (const block of ir.blocks) {
    for (const instr of block.instrs) {
      if (instr.op === "atomic" && (instr.atomic !== "add" || instr.dst !== undefined)) {
        throw new Error(`internal: ${ir.name} uses an atomic ${instr.atomic}, which this kernel has not`);
      }
    }
  }
}

class Writer {
  readonly code: Uint8Array;
  readonly relocations: Relocation[] = [];
  readonly spans: (Span | undefined)[] = [];
  private readonly view: DataView;
  private readonly starts: ReadonlyMap<string, number>;
  private at = 0;

  constructor(insns: number, starts: ReadonlyMap<string, number>) {
    this.code = new Uint8Array(insns * 8);
    this.view = new DataView(this.code.buffer);
    this.starts = starts;
  }

  write(insn: FlatInsn): void {
    const { span, ref } = insn;
    if (insn.code !== loadImm64) {
      // A call's distance counts from the instruction behind it.
      const call = ref?.kind === "func" && insn.code === (BPF_JMP | BPF_CALL);
      if (call) this.raw(insn.code, 0, BPF_PSEUDO_CALL, 0, this.distanceTo(ref.func), span);
      else this.raw(insn.code, insn.dst, insn.src, insn.off, insn.imm, span);
      return;
    }
    let [src, low, high] = [0, Number(BigInt.asIntN(32, insn.wide ?? 0n)), Number((insn.wide ?? 0n) >> 32n)];
    switch (ref?.kind) {
      case undefined:
        break;
      case "map":
        this.relocations.push({ insn: this.at, kind: "map", map: ref.map });
        src = BPF_PSEUDO_MAP_FD;
        break;
      case "mapvalue":
        this.relocations.push({ insn: this.at, kind: "mapvalue", map: ref.map, offset: ref.offset });
        src = BPF_PSEUDO_MAP_VALUE;
        high = ref.offset;
        break;
      case "cookie":
        this.relocations.push({ insn: this.at, kind: "cookie" });
        break;
      case "func":
        src = BPF_PSEUDO_FUNC;
        low = this.distanceTo(ref.func);
        break;
      default:
        assertNever(ref);
    }
    this.raw(loadImm64, insn.dst, src, 0, low, span);
    this.raw(0, 0, 0, 0, high, span);
  }

  private distanceTo(func: string): number {
    const start = this.starts.get(func);
    if (start === undefined) throw new Error(`internal: no function ${func}`);
    return start - this.at - 1;
  }

  private raw(code: number, dst: number, src: number, off: number, imm: number, span: Span | undefined): void {
    const byte = this.at * 8;
    this.view.setUint8(byte, code);
    this.view.setUint8(byte + 1, (src << 4) | dst);
    this.view.setInt16(byte + 2, off, true);
    this.view.setInt32(byte + 4, imm, true);
    this.spans.push(span);
    this.at++;
  }
}

/**
 * The verifier adds up the frames of a chain of calls, each rounded up to 32 bytes, a frame of nothing counted as one byte:
 * check_max_stack_depth_subprog() and round_up_stack_depth(), v6.12 kernel/bpf/verifier.c (16 bytes where it is jitted).
 */
function deepestStack(frames: readonly { readonly ir: IrFunction; readonly size: number }[]): number {
  const byName = new Map(frames.map((frame) => [frame.ir.name, frame]));
  const known = new Map<string, number>();
  const depth = (name: string, chain: readonly string[]): number => {
    const done = known.get(name);
    if (done !== undefined) return done;
    const frame = byName.get(name);
    if (frame === undefined) throw new Error(`internal: no function ${name}`);
    if (chain.includes(name)) throw new Error(`internal: ${name} calls itself`);
    let deepest = 0;
    for (const callee of calleesOf(frame.ir)) deepest = Math.max(deepest, depth(callee, [...chain, name]));
    const total = Math.ceil(Math.max(1, frame.size) / 32) * 32 + deepest;
    known.set(name, total);
    return total;
  };
  const [first] = frames;
  if (first === undefined) throw new Error("internal: no function to emit");
  const chain = depth(first.ir.name, []);
  const total = calleesOf(first.ir).size === 0 ? first.size : chain;
  if (total > maxStack) {
    throw new StackOverflowError(
      first.ir.name,
      total,
      frames.flatMap(({ ir }) => largestSlots(ir)).sort((a, b) => b.size - a.size),
    );
  }
  return total;
}

function calleesOf(ir: IrFunction): Set<string> {
  const callees = new Set<string>();
  for (const block of ir.blocks) {
    for (const instr of block.instrs) if (instr.op === "callfunc" || instr.op === "funcref") callees.add(instr.func);
  }
  return callees;
}
