import type { Span } from "../base/span.js";
import { FunctionBuilder, type Variable } from "../ir/builder.js";
import type { BlockId, Value } from "../ir/ir.js";
import { type Action, recordHeader } from "../language/action.js";
import type { Dest, LossCounter, Lowering, Place } from "../language/lowering.js";
import type { ProgramVariant } from "../language/probe.js";
import type { MapAccess, TypedExpr, TypedMap, TypedProgram } from "../language/typed.js";
import type { AddressSpace, Type } from "../types/type.js";
import { align8, layoutOf, residence, sizeOf } from "../wire/layout.js";
import { exitSlot, systemMaps } from "../wire/map-storage.js";
import { syscallId } from "./context.js";
import { lowerInto, lowerPlace, lowerValue } from "./expressions.js";
import { copyEntry, deleteEntry, keyOf } from "./maps.js";
import { copyFrom, readC, readText } from "./memory.js";
import type { ObjectBuilder } from "./object-builder.js";
import { variablesReadUnset } from "./unset-variables.js";

/** Which part of a program may use scratch memory; looking it up costs each event, so it comes as late as it can. */
export type ScratchStage = "never" | "body" | "predicate";

/** Thrown when scratch memory turns out to be needed: the program is lowered again with it. */
export class NeedScratch extends Error {
  readonly stage: ScratchStage;
  constructor(stage: ScratchStage) {
    super("scratch memory is needed");
    this.stage = stage;
  }
}

export interface LoopTargets {
  readonly next: BlockId;
  readonly done: BlockId;
}

/** Lowers one program; holds what its parts (expressions, maps, memory, statements) share. */
export class ProgramLowering implements Lowering {
  readonly b: FunctionBuilder;
  readonly program: TypedProgram;
  readonly object: ObjectBuilder;
  readonly index: number;
  readonly variant: ProgramVariant;
  readonly exit: BlockId;
  readonly loops: LoopTargets[] = [];
  private readonly scratchStage: ScratchStage;
  private readonly stackLimit: number;
  private inPredicate = true;
  private scratchBase: Value | undefined;
  /** Bytes in use; the first word says that the memory is taken. */
  private scratchTop = 8;
  private scratchPeak = 8;
  private readonly registers = new Map<string, Variable>();
  private readonly homes = new Map<string, Dest>();
  private id: Value | undefined;

  constructor(
    program: TypedProgram,
    index: number,
    object: ObjectBuilder,
    scratchStage: ScratchStage,
    stackLimit: number,
  ) {
    this.stackLimit = stackLimit;
    this.program = program;
    this.index = index;
    this.object = object;
    this.variant = program.variant;
    this.scratchStage = scratchStage;
    this.b = new FunctionBuilder(program.name, "program");
    this.b.span = program.span;
    this.exit = this.b.newBlock();
    if (this.variant.context.kind === "syscall") this.id = syscallId(this);
    if (scratchStage === "predicate") this.openScratch();
  }

  get arch(): "x86_64" | "arm64" {
    return this.object.machine.arch;
  }

  get span(): Span {
    return this.b.span ?? this.program.span;
  }

  /** From here on the action itself is lowered. */
  beginBody(): void {
    this.inPredicate = false;
    if (this.scratchStage === "body") this.openScratch();
    const unset = variablesReadUnset(this.program);
    for (const variable of this.program.variables.values()) {
      if (residence(variable.type) !== "memory") continue;
      const home = this.temporary(sizeOf(variable.type), variable.name);
      if (unset.has(variable.name)) this.b.zero(home.base, home.offset, align8(sizeOf(variable.type)));
      this.homes.set(variable.name, home);
    }
  }

  /** Scratch size that the program needs, 0 for none. */
  get scratchSize(): number {
    return this.scratchBase === undefined ? 0 : this.scratchPeak;
  }

  private openScratch(): void {
    const { b } = this;
    const key = b.slotAddr(b.slot(4, 4, "scratch key"));
    b.store(4, key, 0, b.const(this.index));
    const pointer = b.call("map_lookup_elem", [b.map(systemMaps.scratch), key]);
    this.ifPresent(
      pointer,
      () => undefined,
      () => b.ret(b.const(0)),
    );
    // Taken already: this program interrupted itself on this CPU (uprobes can). The event is counted as lost.
    const busy = b.newBlock();
    const free = b.newBlock();
    const before = b.atomicFetch("xchg", 8, pointer, 0, b.const(1));
    b.branch("ne", before, b.const(0), busy, free, "else");
    b.seal(busy);
    b.seal(free);
    b.setBlock(busy);
    this.countLoss("scratch-busy");
    b.ret(b.const(0));
    b.setBlock(free);
    this.scratchBase = pointer;
  }

  /** Ends the function: all ways out meet here. */
  close(): void {
    const { b } = this;
    b.jump(this.exit);
    b.seal(this.exit);
    b.setBlock(this.exit);
    if (this.scratchBase !== undefined && this.scratchStage === "predicate")
      b.store(8, this.scratchBase, 0, b.const(0));
    b.ret(b.const(0));
  }

  /** Gives scratch memory back; the way out of the body when only that uses it. */
  releaseScratch(): void {
    if (this.scratchBase !== undefined && this.scratchStage === "body")
      this.b.store(8, this.scratchBase, 0, this.b.const(0));
  }

  leave(): void {
    if (!this.inPredicate && this.scratchBase !== undefined) this.releaseScratch();
    this.b.jump(this.exit);
  }

  temporary(size: number, name: string): Dest {
    if (size <= this.stackLimit) {
      return { base: this.b.slotAddr(this.b.slot(Math.max(8, align8(size)), 8, name)), offset: 0 };
    }
    if (this.scratchBase === undefined) throw new NeedScratch(this.inPredicate ? "predicate" : "body");
    const offset = this.scratchTop;
    this.scratchTop += align8(size);
    this.scratchPeak = Math.max(this.scratchPeak, this.scratchTop);
    return { base: this.scratchBase, offset };
  }

  /** Runs `emit` and gives back the scratch memory that it took. */
  scoped<T>(emit: () => T): T {
    const top = this.scratchTop;
    const result = emit();
    this.scratchTop = top;
    return result;
  }

  register(name: string): Variable {
    let variable = this.registers.get(name);
    if (variable === undefined) {
      variable = this.b.newVariable();
      this.registers.set(name, variable);
    }
    return variable;
  }

  home(name: string): Dest {
    const home = this.homes.get(name);
    if (home === undefined) throw new Error(`internal: ${name} has no memory`);
    return home;
  }

  value(e: TypedExpr): Value {
    return lowerValue(this, e);
  }

  into(e: TypedExpr, dest: Dest, clean: boolean): void {
    lowerInto(this, e, dest, clean, e.type);
  }

  place(e: TypedExpr): Place {
    return lowerPlace(this, e);
  }

  read(place: Place, type: Type): Value {
    return readC(this, place, type);
  }

  address(dest: Dest): Value {
    return dest.offset === 0 ? dest.base : this.b.bin("add", dest.base, this.b.const(dest.offset));
  }

  copyFrom(dest: Dest, from: Place, size: number): void {
    copyFrom(this, dest, from, size);
  }

  readText(to: Value, size: Value, from: Value, space: AddressSpace): Value {
    return readText(this, to, size, from, space);
  }

  startTime(): Value {
    this.object.usesStart = true;
    return this.b.load(8, false, this.b.mapValue(systemMaps.start, 0), 0);
  }

  key(access: MapAccess): Value {
    return keyOf(this, access);
  }

  entry(access: MapAccess, dest: Dest): Value {
    return copyEntry(this, access, dest);
  }

  deleteEntry(access: MapAccess): Value {
    return deleteEntry(this, access);
  }

  map(name: string): TypedMap {
    return this.object.map(name);
  }

  text(value: string): number {
    return this.object.text(value);
  }

  stackMap(depth: number): string {
    return this.object.stackMap(depth);
  }

  noteUserAddresses(): void {
    this.object.userAddresses = true;
  }

  targetId(): Value {
    if (this.id !== undefined) return this.id;
    const { targets } = this.program;
    const [only] = targets;
    if (only !== undefined && targets.length === 1) return this.b.const(this.object.script.targets.indexOf(only));
    return this.b.cookie();
  }

  registerOffset(name: string): number | undefined {
    const { machine } = this.object;
    const argument = /^arg([0-9])$/.exec(name);
    if (argument !== null) return machine.functionArguments[Number(argument[1])];
    if (name === "retval") return machine.returnValue;
    if (name === "sp") return machine.stackPointer;
    if (name === "ip") return machine.instructionPointer;
    return machine.registers[name];
  }

  /** The context's address as a plain number: offsets that only the event knows may be added to it. */
  contextAddress(): Value {
    const { b } = this;
    const slot = b.slotAddr(b.slot(8, 8, "context"));
    b.store(8, slot, 0, b.ctx());
    const copy = b.slotAddr(b.slot(8, 8, "context copy"));
    b.call("probe_read_kernel", [copy, b.const(8), slot]);
    return b.load(8, false, copy, 0);
  }

  ifPresent(pointer: Value, then: () => void, otherwise?: () => void): void {
    const { b } = this;
    const present = b.newBlock();
    const missing = b.newBlock();
    const done = b.newBlock();
    b.branch("ne", pointer, b.const(0), present, missing, "then");
    b.seal(present);
    b.seal(missing);
    b.setBlock(present);
    then();
    b.jump(done);
    b.setBlock(missing);
    otherwise?.();
    b.jump(done);
    b.seal(done);
    b.setBlock(done);
  }

  ifNegative(value: Value, then: () => void): void {
    const { b } = this;
    const negative = b.newBlock();
    const done = b.newBlock();
    b.branch("slt", value, b.const(0), negative, done, "else");
    b.seal(negative);
    b.setBlock(negative);
    then();
    b.jump(done);
    b.seal(done);
    b.setBlock(done);
  }

  countLoss(counter: LossCounter): void {
    this.addToLoss(this.object.lossOffset(counter));
  }

  countMapFull(map: string): void {
    this.addToLoss(this.object.mapLossOffset(map));
  }

  private addToLoss(offset: number): void {
    this.b.atomic("add", 8, this.b.mapValue(systemMaps.loss, offset), 0, this.b.const(1));
  }

  send(
    action: (size: number, offsets: readonly number[]) => Action,
    fields: readonly TypedExpr[],
    onFull?: () => void,
  ): void {
    const { b } = this;
    const layout = layoutOf(
      fields.map((f) => f.type),
      recordHeader,
    );
    // Registers first, and whatever may jump out of the program: once reserved, a record must be submitted.
    const ready = fields.map((field) => {
      if (residence(field.type) === "register") return this.value(field);
      if (!mayLeave(field)) return undefined;
      const temporary = this.temporary(sizeOf(field.type), "field");
      this.into(field, temporary, false);
      return temporary;
    });
    const index = this.object.addAction((size) => action(size, layout.offsets), layout.size);
    this.record(
      index,
      layout.size,
      (record) => {
        for (const [i, field] of fields.entries()) {
          const offset = layout.offsets[i] ?? 0;
          const done = ready[i];
          if (done === undefined) this.scoped(() => this.into(field, { base: record, offset }, false));
          else if (typeof done === "number") b.store(8, record, offset, done);
          else b.copy(record, offset, done.base, done.offset, sizeOf(field.type));
        }
      },
      onFull,
    );
  }

  requestExit(status: Value): void {
    const { b } = this;
    b.store(8, b.mapValue(systemMaps.loss, 8 * exitSlot), 0, b.bin("add", status, b.const(1)));
  }

  sendRaw(action: (size: number) => Action, dataSize: number, fill: (dest: Dest) => void): void {
    const size = recordHeader + align8(dataSize);
    const index = this.object.addAction(action, size);
    this.record(index, size, (record) => fill({ base: record, offset: recordHeader }));
  }

  private record(index: number, size: number, fill: (record: Value) => void, onFull?: () => void): void {
    const { b } = this;
    const record = b.call("ringbuf_reserve", [b.map(systemMaps.events), b.const(size), b.const(0)]);
    this.ifPresent(
      record,
      () => {
        b.store(8, record, 0, b.const(index));
        fill(record);
        b.call("ringbuf_submit", [record, b.const(0)]);
      },
      onFull ?? (() => this.countLoss("ring-full")),
    );
  }
}

/** Whether computing the expression can end the program: a block expression with exit() or return in it. */
function mayLeave(e: TypedExpr): boolean {
  switch (e.kind) {
    case "block":
      return true;
    case "ternary":
      return [e.condition, e.then, e.else].some(mayLeave);
    case "tuple":
      return e.items.some(mayLeave);
    case "builtin":
      return e.args.some((arg) => arg.kind === "value" && mayLeave(arg.value));
    default:
      return false;
  }
}
