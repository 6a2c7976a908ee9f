// Call frame instructions (DWARF 5, 6.4) to rules: what one function does to its frame, instruction by instruction.

import { FormatError } from "../base/errors.js";
import type { DwarfCursor } from "./dwarf-cursor.js";
import { cfaKinds, encodeRule, type FramePointerRule, signalFrame, x86CallFrame } from "./unwind-rule.js";

/** Where a register of the caller is. `memory` is base register (or the CFA) + bytes. */
type Saved =
  | { readonly in: "same" }
  | { readonly in: "nowhere" }
  | { readonly in: "memory"; readonly base: number | "cfa"; readonly offset: number }
  | { readonly in: "register"; readonly register: number }
  | { readonly in: "elsewhere" };

/** A CFA: of a register, or bytes above what is in memory at one, of a linkage table, or what has no name here. */
type Cfa =
  | { readonly of: "register"; readonly register: number; readonly offset: number }
  | { readonly of: "memory"; readonly register: number; readonly offset: number; readonly above: number }
  | { readonly of: "plt"; readonly pushedAt: number }
  | { readonly of: "unknown" };

/** All that is followed of a frame. */
interface State {
  readonly cfa: Cfa;
  readonly framePointer: Saved;
  readonly returnAddress: Saved;
  /** rbx, from which some have the CFA: the dynamic linker's stubs of lazy binding. */
  readonly base: Saved;
}

const same: Saved = { in: "same" };

/** Before the first instruction of a CIE. */
export const unknownState: State = { cfa: { of: "unknown" }, framePointer: same, returnAddress: same, base: same };

export type { State as CallFrameState };

/** What a CIE says about the instructions of its FDEs. */
export interface InstructionContext {
  readonly codeAlign: number;
  readonly dataAlign: number;
  /** State behind the CIE's own instructions, which DW_CFA_restore goes back to. */
  readonly initial: State;
  /** Reads an address as DW_CFA_set_loc has it. */
  readonly address: (cursor: DwarfCursor) => number;
}

const { stackPointer, framePointer, returnAddress, firstArgument, base, word } = x86CallFrame;

/** DW_OP of expressions, DWARF 5 section 7.7.1. */
const DW_OP = {
  deref: 0x06,
  and: 0x1a,
  plus: 0x22,
  plusUconst: 0x23,
  shl: 0x24,
  ge: 0x2a,
  lit0: 0x30,
  breg0: 0x70,
} as const;

/**
 * Runs instructions up to `end`. `row` is told each place where a new state begins: its address and the state of what is
 * before it. Answers the last state.
 */
export function runCallFrame(
  cursor: DwarfCursor,
  end: number,
  start: number,
  context: InstructionContext,
  row: (until: number, state: State) => void,
): State {
  let state = context.initial;
  let pc = start;
  const stack: State[] = [];
  const advance = (to: number): void => {
    if (to < pc) throw new FormatError(`${cursor.what}: call frame instructions go backwards at ${cursor.at}`);
    if (to > pc) row(to, state);
    pc = to;
  };
  const scaled = (): number => cursor.uleb() * context.dataAlign;
  const signed = (): number => Number(cursor.sleb());
  const save = (register: number, saved: Saved): void => {
    if (register === framePointer) state = { ...state, framePointer: saved };
    else if (register === returnAddress) state = { ...state, returnAddress: saved };
    else if (register === base) state = { ...state, base: saved };
  };
  const restore = (register: number): void => {
    if (register === framePointer) save(register, context.initial.framePointer);
    else if (register === returnAddress) save(register, context.initial.returnAddress);
    else if (register === base) save(register, context.initial.base);
  };
  const memory = (offset: number): Saved => ({ in: "memory", base: "cfa", offset });
  const define = (register: number, offset: number): void => {
    state = { ...state, cfa: { of: "register", register, offset } };
  };
  const cfaRegister = (): number => (state.cfa.of === "register" ? state.cfa.register : -1);
  const cfaOffset = (): number => (state.cfa.of === "register" ? state.cfa.offset : Number.NaN);
  while (cursor.at < end) {
    const byte = cursor.u8();
    const low = byte & 0x3f;
    switch (byte & 0xc0) {
      case 0x40:
        advance(pc + low * context.codeAlign);
        continue;
      case 0x80:
        save(low, memory(scaled()));
        continue;
      case 0xc0:
        restore(low);
        continue;
    }
    // Numbers of section 7.24; 0x1d, 0x2d to 0x2f are vendors' (include/dwarf2.def of GCC).
    switch (byte) {
      case 0x00: // nop
        break;
      case 0x01: // set_loc
        advance(context.address(cursor));
        break;
      case 0x02: // advance_loc1
        advance(pc + cursor.u8() * context.codeAlign);
        break;
      case 0x03: // advance_loc2
        advance(pc + cursor.u16() * context.codeAlign);
        break;
      case 0x04: // advance_loc4
        advance(pc + cursor.u32() * context.codeAlign);
        break;
      case 0x05: // offset_extended
        save(cursor.uleb(), memory(scaled()));
        break;
      case 0x06: // restore_extended
        restore(cursor.uleb());
        break;
      case 0x07: // undefined
        save(cursor.uleb(), { in: "nowhere" });
        break;
      case 0x08: // same_value
        save(cursor.uleb(), same);
        break;
      case 0x09: // register
        save(cursor.uleb(), { in: "register", register: cursor.uleb() });
        break;
      case 0x0a: // remember_state
        stack.push(state);
        break;
      case 0x0b: // restore_state
        state = stack.pop() ?? context.initial;
        break;
      case 0x0c: // def_cfa
        define(cursor.uleb(), cursor.uleb());
        break;
      case 0x0d: // def_cfa_register
        define(cursor.uleb(), cfaOffset());
        break;
      case 0x0e: // def_cfa_offset
        define(cfaRegister(), cursor.uleb());
        break;
      case 0x0f: // def_cfa_expression
        state = { ...state, cfa: cfaOf(cursor.bytes(cursor.uleb())) };
        break;
      case 0x10: // expression
        save(cursor.uleb(), savedAt(cursor.bytes(cursor.uleb())));
        break;
      case 0x11: // offset_extended_sf
        save(cursor.uleb(), memory(signed() * context.dataAlign));
        break;
      case 0x12: // def_cfa_sf
        define(cursor.uleb(), signed() * context.dataAlign);
        break;
      case 0x13: // def_cfa_offset_sf
        define(cfaRegister(), signed() * context.dataAlign);
        break;
      case 0x14: // val_offset
      case 0x15: // val_offset_sf
        save(cursor.uleb(), { in: "elsewhere" });
        cursor.skipLeb();
        break;
      case 0x16: // val_expression
        save(cursor.uleb(), { in: "elsewhere" });
        cursor.skip(cursor.uleb());
        break;
      case 0x1d: // MIPS_advance_loc8
        advance(pc + cursor.offset(8) * context.codeAlign);
        break;
      case 0x2d: // GNU_window_save, AARCH64_negate_ra_state
        break;
      case 0x2e: // GNU_args_size
        cursor.skipLeb();
        break;
      case 0x2f: // GNU_negative_offset_extended
        save(cursor.uleb(), memory(-scaled()));
        break;
      default:
        throw new FormatError(`${cursor.what}: unknown call frame instruction ${byte} at ${cursor.at - 1}`);
    }
  }
  if (cursor.at > end) throw new FormatError(`${cursor.what}: call frame instructions go on behind their entry`);
  return state;
}

/** The rule for a state. */
export function ruleOf({ cfa, framePointer: fp, returnAddress: ra }: State): number {
  if (ra.in === "nowhere") return cfaKinds.outermost;
  if (isSignalFrame(cfa, fp, ra)) return cfaKinds.signal;
  if (ra.in === "register" && ra.register === firstArgument && fp.in === "same")
    return cfa.of === "register" && cfa.register === stackPointer
      ? encodeRule(cfaKinds.returnInRegister, cfa.offset / word, { kind: "same" })
      : cfaKinds.unsupported;
  const inPlace = ra.in === "memory" && ra.base === "cfa" && ra.offset === -word;
  const rule = framePointerRule(fp);
  if (!inPlace || rule === undefined || cfa.of === "unknown") return cfaKinds.unsupported;
  if (cfa.of === "plt") return encodeRule(cfaKinds.plt, cfa.pushedAt, rule);
  const kind = cfaKind(cfa);
  return kind === undefined ? cfaKinds.unsupported : encodeRule(kind, cfa.offset / word, rule);
}

/** All that is known of a frame's caller: more than a rule of 32 bits has room for. */
export interface CallRule {
  readonly rule: number;
  /** What the rule has as the stack pointer is rbx. */
  readonly fromBase: boolean;
  /** Where the caller's rbx is: it is the same, in memory so many bytes from the CFA, or that is not known. */
  readonly base: "same" | "unknown" | number;
}

export function callRuleOf(state: State): CallRule {
  const { cfa, base: saved } = state;
  const fromBase = cfa.of === "register" && cfa.register === base;
  const rule = ruleOf(fromBase ? { ...state, cfa: { ...cfa, register: stackPointer } } : state);
  if (saved.in === "memory" && saved.base === "cfa") return { rule, fromBase, base: saved.offset };
  return { rule, fromBase, base: saved.in === "same" ? "same" : "unknown" };
}

function cfaKind(cfa: Exclude<Cfa, { of: "plt" | "unknown" }>): number | undefined {
  const { register } = cfa;
  if (cfa.of === "register") {
    if (register === stackPointer) return cfaKinds.stackPointer;
    return register === framePointer ? cfaKinds.framePointer : undefined;
  }
  if (register === stackPointer && cfa.above === word) return cfaKinds.atStackPointer;
  return register === framePointer && cfa.above === 0 ? cfaKinds.atFramePointer : undefined;
}

function framePointerRule(saved: Saved): FramePointerRule | undefined {
  if (saved.in === "memory" && saved.base === "cfa") return { kind: "at-cfa", offset: saved.offset / word };
  if (saved.in === "memory" && saved.base === framePointer)
    return { kind: "at-frame-pointer", offset: saved.offset / word };
  // "nowhere": the function has overwritten it and its callers do without.
  return saved.in === "same" || saved.in === "nowhere" ? { kind: "same" } : undefined;
}

const isSignalFrame = (cfa: Cfa, fp: Saved, ra: Saved): boolean =>
  cfa.of === "memory" &&
  cfa.register === stackPointer &&
  cfa.offset === signalFrame.stackPointer &&
  cfa.above === 0 &&
  isAtStack(fp, signalFrame.framePointer) &&
  isAtStack(ra, signalFrame.instructionPointer);

const isAtStack = (saved: Saved, offset: number): boolean =>
  saved.in === "memory" && saved.base === stackPointer && saved.offset === offset;

/** `breg N` as a register and bytes behind it, with where the expression goes on. */
function readBreg(
  bytes: Uint8Array,
): { readonly register: number; readonly offset: number; readonly next: number } | undefined {
  const register = (bytes[0] ?? 0) - DW_OP.breg0;
  if (register < 0 || register > 31) return undefined;
  let offset = 0;
  for (let next = 1, shift = 0; next < bytes.length && shift < 28; shift += 7) {
    const byte = bytes[next++] ?? 0;
    offset |= (byte & 0x7f) << shift;
    if ((byte & 0x80) !== 0) continue;
    const sign = 32 - shift - 7;
    return { register, offset: (offset << sign) >> sign, next };
  }
  return undefined;
}

/** The address of where a register is saved. */
function savedAt(expression: Uint8Array): Saved {
  const { register, offset, next } = readBreg(expression) ?? { register: -1, offset: 0, next: -1 };
  return next === expression.length ? { in: "memory", base: register, offset } : { in: "elsewhere" };
}

function cfaOf(expression: Uint8Array): Cfa {
  const { register, offset, next } = readBreg(expression) ?? { register: -1, offset: 0, next: -1 };
  if (next < 0) return { of: "unknown" };
  if (next === expression.length) return { of: "register", register, offset };
  if (expression[next] === DW_OP.deref) {
    const above = addedAfter(expression.subarray(next + 1));
    if (above !== undefined) return { of: "memory", register, offset, above };
  }
  return pltOf(expression) ?? { of: "unknown" };
}

/** What an expression still adds: nothing, or a small constant. */
function addedAfter(rest: Uint8Array): number | undefined {
  if (rest.length === 0) return 0;
  const [op, amount = 128] = rest;
  return op === DW_OP.plusUconst && rest.length === 2 && amount < 128 ? amount : undefined;
}

/**
 * What linkers say of their tables (elfxx-x86 of binutils, elf_x86_64_eh_frame_plt): rsp + 8 + ((rip & 15) >= n) * 8.
 */
function pltOf(expression: Uint8Array): Cfa | undefined {
  const lit = (n: number): number => DW_OP.lit0 + n;
  const { breg0, and, ge, shl, plus } = DW_OP;
  const stack = breg0 + stackPointer;
  const wanted = [stack, 8, breg0 + returnAddress, 0, lit(15), and, undefined, ge, lit(3), shl, plus];
  const fits =
    expression.length === wanted.length && wanted.every((byte, i) => byte === undefined || byte === expression[i]);
  const pushedAt = (expression[6] ?? 0) - lit(0);
  return fits && pushedAt >= 0 && pushedAt < 16 ? { of: "plt", pushedAt } : undefined;
}
