// One frame of a stack: it is noted, and its caller's registers are found.

import { cfaKinds, ruleBits, signalFrame } from "../../formats/unwind-rule.js";
import type { FunctionBuilder } from "../../ir/builder.js";
import type { BlockId, Value } from "../../ir/ir.js";
import { fileKey, unwindMaps, unwoundHashFactor, unwoundLayout, wantedLayout } from "../../wire/unwind.js";
import { findMapping, type MappingFunctions } from "./unwind-mapping.js";
import { foundMapping, type KernelMembers, recordAt, scratchWords, shared, stops } from "./unwind-memory.js";
import { replacedReturn } from "./unwind-returns.js";
import { findRule } from "./unwind-rows.js";

/** Bytes of a word of the stack. */
const word = 8;

/**
 * The function that bpf_loop() calls for each frame; it returns 0 to go on, 1 to stop. There is room for `most` frames.
 */
export function lowerUnwindStep(
  b: FunctionBuilder,
  most: number,
  members: KernelMembers,
  functions: MappingFunctions,
): void {
  const index = b.param(0);
  const sharedAt = b.param(1);
  const inside = b.newBlock();
  const stop = b.newBlock();
  b.branch("ult", index, b.const(most), inside, stop);
  b.seal(inside);
  b.setBlock(inside);
  const scratch = b.load(8, false, sharedAt, shared.scratch);
  const pc = b.load(8, false, scratch, scratchWords.instructionPointer);
  const frames = b.bin("add", scratch, b.const(recordAt + unwoundLayout.frames));
  b.store(8, b.bin("add", frames, b.bin("shl", index, b.const(3))), 0, pc);
  addToHash(b, scratch, pc);
  const step = new Step(b, members, scratch, pc, stop);
  const process = b.load(8, false, sharedAt, shared.process);
  // Behind a call there may be another function already, if the call never returns.
  const isExact = b.cmp("ne", b.load(8, false, scratch, scratchWords.exact), b.const(0));
  const address = b.bin("sub", pc, b.bin("xor", isExact, b.const(1)));
  findMapping(b, { address, scratch, process, sharedAt, functions });
  step.byTable(address);
  b.seal(stop);
  b.setBlock(stop);
  b.ret(b.const(1));
}

export function addToHash(b: FunctionBuilder, scratch: Value, pc: Value): void {
  const mixed = b.bin("xor", b.load(8, false, scratch, scratchWords.hash), pc);
  const product = b.bin("mul", mixed, b.const(BigInt.asIntN(64, unwoundHashFactor)));
  b.store(8, scratch, scratchWords.hash, b.bin("xor", product, b.bin("lshr", product, b.const(32))));
}

/** The ways from a frame to its caller; each ends the function or goes to `stop`. */
class Step {
  private readonly b: FunctionBuilder;
  private readonly members: KernelMembers;
  private readonly scratch: Value;
  private readonly pc: Value;
  private readonly stop: BlockId;
  private readonly sp: Value;
  private readonly fp: Value;

  constructor(b: FunctionBuilder, members: KernelMembers, scratch: Value, pc: Value, stop: BlockId) {
    this.b = b;
    this.members = members;
    this.scratch = scratch;
    this.pc = pc;
    this.stop = stop;
    this.sp = b.load(8, false, scratch, scratchWords.stackPointer);
    this.fp = b.load(8, false, scratch, scratchWords.framePointer);
  }

  /**
   * By the table of the file that is mapped at `address`. Where that is not known yet nothing is guessed: frame pointers
   * of code that keeps none lead past callers.
   */
  byTable(address: Value): void {
    const { b, scratch } = this;
    b.require("ne", b.load(8, false, scratch, foundMapping.end), b.const(0), () => this.end(stops.unmapped));
    b.require("ne", b.load(8, false, scratch, foundMapping.file), b.const(0), () => this.byFramePointer(stops.noRule));
    // Keys are on the stack: of memory that a function is given none were taken before 6.2 (d1673304097c).
    const fileAt = b.slotAddr(b.slot(fileKey.size, 8, "file"));
    b.copy(fileAt, 0, scratch, foundMapping.file, fileKey.size);
    const table = b.call("map_lookup_elem", [b.map(unwindMaps.tables), fileAt]);
    b.require("ne", table, b.const(0), () => {
      const wanted = b.slotAddr(b.slot(wantedLayout.size, 8, "wanted"));
      b.copy(wanted, 0, scratch, foundMapping.wanted, wantedLayout.size);
      // BPF_NOEXIST: who noted it first is as good.
      b.call("map_update_elem", [b.map(unwindMaps.wanted), fileAt, wanted, b.const(1)]);
      this.end(stops.noTable);
    });
    const distance = b.bin("sub", address, b.load(8, false, scratch, foundMapping.start));
    const place = b.bin("add", distance, b.load(8, false, scratch, foundMapping.offset));
    this.byRule(findRule(b, { table, place }));
  }

  private byRule(rule: Value): void {
    const { b, scratch } = this;
    const kind = b.bin("and", rule, b.const(2 ** ruleBits.kind - 1));
    const cfa = b.newVariable();
    const [known, unknown] = [b.newBlock(), b.newBlock()];
    const bytes = b.bin("shl", field(b, rule, ruleBits.kind + ruleBits.framePointer, ruleBits.cfa), b.const(3));
    const on = (wanted: number, emit: () => void): void => b.when("eq", kind, b.const(wanted), undefined, emit);
    const found = (value: Value): void => {
      b.write(cfa, value);
      b.jump(known);
    };
    const read = (base: Value, above: number): void => {
      this.readInto(scratchWords.read, b.bin("add", base, bytes));
      found(b.bin("add", b.load(8, false, scratch, scratchWords.read), b.const(above)));
    };
    on(cfaKinds.stackPointer, () => found(b.bin("add", this.sp, bytes)));
    on(cfaKinds.framePointer, () => found(b.bin("add", this.fp, bytes)));
    on(cfaKinds.atStackPointer, () => read(this.sp, word));
    on(cfaKinds.atFramePointer, () => read(this.fp, 0));
    on(cfaKinds.outermost, () => b.jump(this.stop));
    on(cfaKinds.plt, () => {
      const pushedAt = b.bin("lshr", bytes, b.const(3));
      const isPushed = b.cmp("uge", b.bin("and", this.pc, b.const(15)), pushedAt);
      found(b.bin("add", b.bin("add", this.sp, b.const(word)), b.bin("shl", isPushed, b.const(3))));
    });
    on(cfaKinds.returnInRegister, () => {
      const address = b.load(8, false, scratch, scratchWords.argument);
      b.require("ne", address, b.const(0), () => this.end(stops.noRule));
      this.returnTo(address, b.bin("add", this.sp, bytes), this.fp);
    });
    on(cfaKinds.signal, () => this.fromSignal());
    // The file has a rule, only none that fits here: it is no code that keeps frame pointers.
    on(cfaKinds.unsupported, () => this.end(stops.unsupported));
    b.jump(unknown);
    b.seal(unknown);
    b.setBlock(unknown);
    this.byFramePointer(stops.noRule);
    b.seal(known);
    b.setBlock(known);
    this.toCaller(b.read(cfa), field(b, rule, ruleBits.kind, ruleBits.framePointer));
  }

  /** From a CFA, and where the caller's frame pointer is: below the CFA, or at 1 + so many words from the frame pointer. */
  private toCaller(cfa: Value, saved: Value): void {
    const { b, scratch } = this;
    b.require("ugt", cfa, this.sp, () => this.end(stops.unreadable));
    this.readInto(scratchWords.read, b.bin("sub", cfa, b.const(word)));
    const fp = b.newVariable();
    b.write(fp, this.fp);
    b.when("ne", saved, b.const(0), undefined, () => {
      const base = b.newVariable();
      b.write(base, cfa);
      b.when("sgt", saved, b.const(0), "else", () => b.write(base, b.bin("sub", this.fp, b.const(word))));
      this.readInto(scratchWords.read2, b.bin("add", b.read(base), b.bin("shl", saved, b.const(3))));
      b.write(fp, b.load(8, false, scratch, scratchWords.read2));
    });
    this.returnTo(b.load(8, false, scratch, scratchWords.read), cfa, b.read(fp));
  }

  private fromSignal(): void {
    const { b, scratch } = this;
    const at = (offset: number): Value => b.bin("add", this.sp, b.const(offset));
    this.readInto(scratchWords.read, at(signalFrame.instructionPointer));
    this.readInto(scratchWords.read2, at(signalFrame.stackPointer));
    this.readInto(scratchWords.read3, at(signalFrame.framePointer));
    const [ip, sp, fp] = [scratchWords.read, scratchWords.read2, scratchWords.read3];
    this.goOn(b.load(8, false, scratch, ip), b.load(8, false, scratch, sp), b.load(8, false, scratch, fp), true);
  }

  /** Code without a rule may keep frame pointers, as that of most compilers at run time does; `reason` if it does not. */
  byFramePointer(reason: number): void {
    const { b, scratch, fp } = this;
    // Whoever keeps frame pointers has 0 in the first function of a thread (System V ABI for AMD64, 3.4.1).
    b.require("ne", fp, b.const(0), () => this.end(stops.none));
    b.require("uge", fp, this.sp, () => this.end(reason));
    b.require("eq", b.bin("and", fp, b.const(word - 1)), b.const(0), () => this.end(reason));
    this.readInto(scratchWords.read2, fp, reason);
    this.readInto(scratchWords.read, b.bin("add", fp, b.const(word)), reason);
    const sp = b.bin("add", fp, b.const(2 * word));
    this.returnTo(b.load(8, false, scratch, scratchWords.read), sp, b.load(8, false, scratch, scratchWords.read2));
  }

  /** By a return address in the word below `sp`. */
  private returnTo(address: Value, sp: Value, fp: Value): void {
    const { b, scratch } = this;
    const { returns } = this.members;
    const ip = b.newVariable();
    b.write(ip, address);
    if (returns !== undefined) {
      const trampoline = b.load(8, false, scratch, scratchWords.trampoline);
      const ended = b.bin("or", b.cmp("ne", address, trampoline), b.cmp("eq", address, b.const(0)));
      b.when("eq", ended, b.const(0), undefined, () => {
        const replaced = replacedReturn(b, b.bin("sub", sp, b.const(word)), returns);
        b.require("ne", replaced, b.const(0), () => this.end(stops.unreadable));
        b.write(ip, replaced);
      });
    }
    this.goOn(b.read(ip), sp, fp, false);
  }

  private goOn(ip: Value, sp: Value, fp: Value, isExact: boolean): void {
    const { b, scratch } = this;
    // No address to return to is how some begin their threads.
    b.require("ne", ip, b.const(0), () => this.end(stops.none));
    b.store(8, scratch, scratchWords.instructionPointer, ip);
    b.store(8, scratch, scratchWords.stackPointer, sp);
    b.store(8, scratch, scratchWords.framePointer, fp);
    b.store(8, scratch, scratchWords.exact, b.const(isExact ? 1 : 0));
    b.store(8, scratch, scratchWords.argument, b.const(0));
    b.ret(b.const(0));
  }

  private end(reason: number): void {
    const { b } = this;
    if (reason !== stops.none) b.store(8, this.scratch, scratchWords.stop, b.const(reason));
    b.jump(this.stop);
  }

  /** Reads a word of the process. */
  private readInto(at: number, address: Value, reason: number = stops.unreadable): void {
    const { b } = this;
    const result = b.call("probe_read_user", [b.bin("add", this.scratch, b.const(at)), b.const(word), address]);
    b.require("eq", result, b.const(0), () => this.end(reason));
  }
}

/** Signed bits of a 32-bit rule. */
const field = (b: FunctionBuilder, rule: Value, from: number, size: number): Value =>
  b.bin("ashr", b.bin("shl", rule, b.const(64 - from - size)), b.const(64 - size));
