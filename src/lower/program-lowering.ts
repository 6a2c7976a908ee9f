import type { Span } from "../base/span.js";
import { FunctionBuilder, type Variable } from "../ir/builder.js";
import type { BlockId, IrFunction, Value } from "../ir/ir.js";
import type { Config } from "../language/config.js";
import { type TakenMaps, takenMaps } from "../language/emptied-maps.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Dest, LossCounter, Lowering, Place } from "../language/lowering.js";
import type { ProgramVariant, Target } from "../language/probe.js";
import { looksAtTasks } from "../language/task-filter.js";
import type { MapAccess, TypedExpr, TypedMap, TypedProgram, TypedStatement, TypedVariable } from "../language/typed.js";
import type { AddressSpace, Type } from "../types/type.js";
import { align8, residence, sizeOf } from "../wire/layout.js";
import { exitedSlot, exitSlot, startWords, systemMaps } from "../wire/map-storage.js";
import type { RecordField, RecordInit } from "../wire/record.js";
import { type CallbackLoop, type LoopFacts, loopFacts } from "./captured-variables.js";
import { syscallId } from "./context.js";
import { lowerInto, lowerPlace, lowerValue } from "./expressions.js";
import { countLostElement } from "./failed-updates.js";
import type { FrameLayout, FunctionState, LoopTargets } from "./function-state.js";
import { watchHelpers } from "./helper-errors.js";
import { copyEntry, countEntries, deleteEntry, findEntry, keyOf } from "./maps.js";
import { copyFrom, forgetPointer, readC, readForeign } from "./memory.js";
import type { ObjectBuilder } from "./object-builder.js";
import { sendBytes, sendFields } from "./records.js";
import { ShownStacks } from "./shown-stacks.js";
import { limitToTasks } from "./task-filter.js";
import { typedAddress } from "./typed-pointers.js";
import { variablesReadUnassigned, variablesReadUnset } from "./unset-variables.js";
import { waits } from "./waiting.js";

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

/** Lowers one program; holds what its parts (expressions, maps, memory, statements) share. */
export class ProgramLowering implements Lowering {
  readonly program: TypedProgram;
  readonly object: ObjectBuilder;
  readonly index: number;
  readonly variant: ProgramVariant;
  /** Functions that are finished: the bodies of loops. */
  readonly callbacks: IrFunction[] = [];
  private readonly facts: LoopFacts;
  private readonly layout: FrameLayout;
  private readonly unset: ReadonlySet<string>;
  readonly shownStacks: ShownStacks;
  /** Where a ring is full the program waits: nothing that it says is lost. */
  readonly waits: boolean;
  private takenFound: TakenMaps | undefined;
  private fn: FunctionState;
  private callbackCount = 0;
  private readonly shared = new Map<string, string>();
  private readonly scratchStage: ScratchStage;
  private readonly stackLimit: number;
  private inPredicate = true;
  /** Bytes in use; the first word says that the memory is taken. */
  private scratchTop = 8;
  private scratchPeak = 8;
  /** Offsets in scratch memory of variables that loops share and that are too large for the stack. */
  private readonly scratchHomes = new Map<string, number>();

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
    this.waits = waits(program, object.kernel);
    if (this.waits) object.waits = true;
    this.scratchStage = scratchStage;
    this.facts = loopFacts(program, () => object.kernel.feature("bpfLoop") !== "no");
    this.unset = variablesReadUnset(program);
    this.shownStacks = new ShownStacks(program, [variablesReadUnassigned(program), this.facts.captured]);
    this.layout = frameLayout(program, this.facts, stackLimit);
    this.fn = newFunction(new FunctionBuilder(program.name, "program"), false);
    watchHelpers(this, this.b);
    this.b.span = program.span;
    if (this.variant.context.kind === "syscall") this.fn.id = syscallId(this);
    limitToTasks(this, object.filter);
    if (scratchStage === "predicate") this.openScratch();
    if (this.facts.inPredicate) this.openFrame();
  }

  get b(): FunctionBuilder {
    return this.fn.b;
  }

  get exit(): BlockId {
    return this.fn.exit;
  }

  get loops(): LoopTargets[] {
    return this.fn.loops;
  }

  get kernel(): KernelView {
    return this.object.kernel;
  }

  get config(): Config {
    return this.object.config;
  }

  get span(): Span {
    return this.b.span ?? this.program.span;
  }

  /** From here on the action itself is lowered. */
  beginBody(): void {
    this.inPredicate = false;
    if (this.scratchStage === "body") this.openScratch();
    const inLoops = new Set([...this.facts.localTo.values()].flat());
    for (const variable of this.program.variables.values()) {
      if (!this.needsMemory(variable) || inLoops.has(variable.name)) continue;
      if (this.facts.captured.has(variable.name)) this.shareHome(variable);
      else this.makeHome(variable);
    }
    if (this.facts.loops.length > 0 && !this.facts.inPredicate) this.openFrame();
  }

  /** Its value does not fit a register, or its address is wanted. */
  private needsMemory({ name, type }: TypedVariable): boolean {
    return residence(type) === "memory" || this.facts.addressed.has(name);
  }

  private makeHome(variable: TypedVariable): void {
    const home = this.temporary(sizeOf(variable.type), variable.name);
    if (this.unset.has(variable.name)) this.b.zero(home.base, home.offset, align8(sizeOf(variable.type)));
    this.fn.homes.set(variable.name, home);
  }

  /** What is too large for the frame lies in scratch memory for the whole run. */
  private shareHome(variable: TypedVariable): void {
    if (this.layout.variables.has(variable.name)) return;
    const { base, offset } = this.scratch(sizeOf(variable.type));
    this.b.zero(base, offset, align8(sizeOf(variable.type)));
    this.scratchHomes.set(variable.name, offset);
  }

  /** Makes what loops share with the rest of the program, zeroed. */
  private openFrame(): void {
    const { b, layout } = this;
    const frame = b.slotAddr(b.slot(layout.size, 8, "shared with loops"));
    b.zero(frame, 0, layout.size);
    b.store(8, frame, layout.context, b.ctx());
    if (this.fn.scratchBase !== undefined) b.store(8, frame, layout.scratch, this.fn.scratchBase);
    b.store(8, frame, layout.id, this.targetId());
    this.fn.frame = frame;
  }

  /** The address of what the program shares with its loops. */
  get frame(): Value {
    if (this.fn.frame === undefined) throw new Error("internal: this program has no loops");
    return this.fn.frame;
  }

  /** Where the first number of a loop is kept, from the frame's start. */
  startOffset(loop: CallbackLoop): number {
    const offset = this.layout.starts.get(loop);
    if (offset === undefined) throw new Error("internal: a loop without a start");
    return offset;
  }

  isCallback(loop: TypedStatement): loop is CallbackLoop {
    return (this.facts.loops as readonly TypedStatement[]).includes(loop);
  }

  /**
   * Emits the body of a loop as a function of its own and answers its name. It returns 0 to go on, 1 to stop. `frameParam`
   * is the argument that holds the frame's address.
   */
  callback(loop: CallbackLoop, frameParam: number, emit: () => void): string {
    const outer = this.fn;
    const { layout } = this;
    const name = `${this.program.name}_loop${this.callbackCount++}`;
    const b: FunctionBuilder = new FunctionBuilder(name, "subprogram", () => b.load(8, false, frame, layout.context));
    watchHelpers(this, b);
    const frame = b.param(frameParam);
    b.span = outer.b.span;
    this.fn = { ...newFunction(b, true), frame };
    if (outer.scratchBase !== undefined) this.fn.scratchBase = b.load(8, false, frame, layout.scratch);
    const next = b.newBlock();
    const done = this.fn.exit;
    this.fn.loops.push({ next, done });
    for (const local of this.facts.localTo.get(loop) ?? []) {
      const variable = this.program.variables.get(local);
      if (variable !== undefined && this.needsMemory(variable)) this.makeHome(variable);
    }
    emit();
    b.jump(next);
    b.seal(next);
    b.setBlock(next);
    b.ret(b.const(0));
    b.seal(done);
    b.setBlock(done);
    b.ret(b.const(1));
    this.callbacks.push(b.finish());
    this.fn = outer;
    return name;
  }

  /** Goes on behind a loop, unless its body has left the action. */
  afterLoop(): void {
    const { b } = this;
    const left = b.newBlock();
    const done = b.newBlock();
    b.branch("ne", b.load(8, false, this.frame, this.layout.left), b.const(0), left, done, "else");
    b.seal(left);
    b.setBlock(left);
    if (this.variant.readsResult === true && !this.fn.isCallback)
      this.leaveWith(b.load(8, false, this.frame, this.layout.result));
    else this.leave();
    b.seal(done);
    b.setBlock(done);
  }

  /** Scratch size that the program needs, 0 for none. */
  get scratchSize(): number {
    return this.fn.scratchBase === undefined ? 0 : this.scratchPeak;
  }

  private openScratch(): void {
    const { b } = this;
    const key = b.slotAddr(b.slot(4, 4, "scratch key"));
    const large = this.object.largeScratch.get(this.index);
    const cpus = this.object.kernel.possibleCpus;
    const element =
      large === undefined
        ? b.const(this.index)
        : b.bin("add", b.call("get_smp_processor_id", []), b.const(large * cpus));
    b.store(4, key, 0, element);
    const map = large === undefined ? systemMaps.scratch : systemMaps.largeScratch;
    const pointer = b.call("map_lookup_elem", [b.map(map), key]);
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
    this.fn.scratchBase = pointer;
  }

  /** Ends the function: all ways out meet here. */
  close(): void {
    const { b } = this;
    b.jump(this.exit);
    b.seal(this.exit);
    b.setBlock(this.exit);
    if (this.fn.scratchBase !== undefined && this.scratchStage === "predicate")
      b.store(8, this.fn.scratchBase, 0, b.const(0));
    b.ret(b.const(0));
  }

  /** Gives scratch memory back; the way out of the body when only that uses it. */
  releaseScratch(): void {
    if (this.fn.scratchBase !== undefined && this.scratchStage === "body")
      this.b.store(8, this.fn.scratchBase, 0, this.b.const(0));
  }

  leave(): void {
    if (this.fn.isCallback) this.b.store(8, this.frame, this.layout.left, this.b.const(1));
    else if (!this.inPredicate && this.fn.scratchBase !== undefined) this.releaseScratch();
    this.b.jump(this.exit);
  }

  /** Leaves the action with a result; `value` was computed before. */
  leaveWith(value: Value): void {
    if (this.fn.isCallback) {
      this.b.store(8, this.frame, this.layout.result, value);
      this.leave();
      return;
    }
    if (!this.inPredicate && this.fn.scratchBase !== undefined) this.releaseScratch();
    this.b.ret(value);
  }

  temporary(size: number, name: string): Dest {
    if (size <= this.stackLimit) {
      return { base: this.b.slotAddr(this.b.slot(Math.max(8, align8(size)), 8, name)), offset: 0 };
    }
    return this.scratch(size);
  }

  private scratch(size: number): Dest {
    const base = this.fn.scratchBase;
    if (base === undefined) throw new NeedScratch(this.inPredicate ? "predicate" : "body");
    const offset = this.scratchTop;
    this.scratchTop += align8(size);
    this.scratchPeak = Math.max(this.scratchPeak, this.scratchTop);
    return { base, offset };
  }

  /** Runs `emit` and gives back the scratch memory that it took. */
  scoped<T>(emit: () => T): T {
    const top = this.scratchTop;
    const result = emit();
    this.scratchTop = top;
    return result;
  }

  /** The value of a variable that fits a register. */
  readVariable(name: string): Value {
    const home = this.fn.homes.get(name);
    if (home !== undefined) return this.b.load(8, false, home.base, home.offset);
    const shared = this.layout.variables.get(name);
    return shared === undefined ? this.b.read(this.register(name)) : this.b.load(8, false, this.frame, shared);
  }

  writeVariable(name: string, value: Value): void {
    const home = this.fn.homes.get(name);
    if (home !== undefined) {
      this.b.store(8, home.base, home.offset, value);
      return;
    }
    const shared = this.layout.variables.get(name);
    if (shared === undefined) this.b.write(this.register(name), value);
    else this.b.store(8, this.frame, shared, value);
  }

  private register(name: string): Variable {
    let variable = this.fn.registers.get(name);
    if (variable === undefined) {
      variable = this.b.newVariable();
      this.fn.registers.set(name, variable);
    }
    return variable;
  }

  /** Where a variable is that lives in memory. */
  home(name: string): Dest {
    const home = this.fn.homes.get(name);
    if (home !== undefined) return home;
    const shared = this.layout.variables.get(name);
    if (shared !== undefined) return { base: this.frame, offset: shared };
    const offset = this.scratchHomes.get(name);
    if (offset !== undefined && this.fn.scratchBase !== undefined) return { base: this.fn.scratchBase, offset };
    throw new Error(`internal: ${name} has no memory`);
  }

  value(e: TypedExpr): Value {
    return lowerValue(this, e);
  }

  into(e: TypedExpr, dest: Dest, clean: boolean): void {
    lowerInto(this, e, dest, clean, e.type);
  }

  typedAddress(e: TypedExpr): Value {
    return typedAddress(this, e);
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
    return readForeign(this, "text", to, size, from, space);
  }

  readBytes(to: Value, size: Value, from: Value, space: AddressSpace): Value {
    return readForeign(this, "bytes", to, size, from, space);
  }

  startTime(): Value {
    return this.startWord(startWords.monotonic);
  }

  wallOffset(): Value {
    return this.startWord(startWords.wallOffset);
  }

  private startWord(at: number): Value {
    this.object.usesStart = true;
    return this.b.load(8, false, this.b.mapValue(systemMaps.start, at), 0);
  }

  key(access: MapAccess): Value {
    return keyOf(this, access);
  }

  entry(access: MapAccess, dest: Dest): Value {
    return copyEntry(this, access, dest);
  }

  findEntry(access: MapAccess, variable: TypedExpr): Value {
    return findEntry(this, access, variable);
  }

  deleteEntry(access: MapAccess): Value {
    return deleteEntry(this, access);
  }

  map(name: string): TypedMap {
    return this.object.map(name);
  }

  get taken(): TakenMaps {
    this.takenFound ??= takenMaps(this.program);
    return this.takenFound;
  }

  countEntries(map: string): Value {
    return countEntries(this, map);
  }

  table(name: string, bytes: () => Uint8Array): Value {
    this.object.addTable(name, bytes);
    return this.b.mapValue(name, 0);
  }

  subprogram(what: string, build: (b: FunctionBuilder) => void, pointsTo?: readonly number[]): string {
    const name = `${this.program.name}_${what}${this.callbackCount++}`;
    const b = new FunctionBuilder(name, "subprogram", undefined, pointsTo);
    b.span = this.b.span;
    build(b);
    this.callbacks.push(b.finish());
    return name;
  }

  sharedSubprogram(what: string, build: (b: FunctionBuilder) => void, pointsTo?: readonly number[]): string {
    const name = this.shared.get(what) ?? this.subprogram(what, build, pointsTo);
    this.shared.set(what, name);
    return name;
  }

  get stackLengths(): boolean {
    return this.object.script.stackLengths;
  }

  text(value: string): number {
    return this.object.text(value);
  }

  stackMap(depth: number, buildIds = false): string {
    return this.object.stackMap(depth, buildIds);
  }

  overflowMap(depth: number): string {
    return this.object.overflowMap(depth);
  }

  noteUnwinding(): void {
    this.object.unwinds = true;
  }

  get defersStacks(): boolean {
    return this.object.defersStacks;
  }

  notePendingStacks(): void {
    this.object.pendingStacks = true;
  }

  unwoundMap(depth: number): string {
    return this.object.unwoundMap(depth);
  }

  get unwindsAll(): boolean {
    return looksAtTasks(this.object.filter);
  }

  noteUserAddresses(): void {
    this.object.userAddresses = true;
  }

  get allTargets(): readonly Target[] {
    return this.object.script.targets;
  }

  targetId(): Value {
    if (this.fn.id !== undefined) return this.fn.id;
    const { targets } = this.program;
    const [only] = targets;
    if (only !== undefined && targets.length === 1) return this.b.const(this.object.script.targets.indexOf(only));
    if (this.fn.isCallback) return this.b.load(8, false, this.frame, this.layout.id);
    const distance = this.object.fromEntry(this.program);
    return distance === 0 ? this.b.cookie() : this.b.bin("add", this.b.cookie(), this.b.const(distance));
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
    return forgetPointer(this, this.b.ctx());
  }

  ifPresent(pointer: Value, then: () => void, otherwise: () => void = () => undefined): void {
    this.b.either("ne", pointer, this.b.const(0), then, otherwise, "then");
  }

  ifNegative(value: Value, then: () => void): void {
    this.b.when("slt", value, this.b.const(0), "else", then);
  }

  countLoss(counter: LossCounter): void {
    this.b.atomic("add", 8, this.b.mapValue(systemMaps.loss, this.object.lossOffset(counter)), 0, this.b.const(1));
  }

  countLostElement(full: LossCounter, code: Value): void {
    countLostElement(this.b, this.object, full, code);
  }

  send(
    record: (fields: readonly RecordField[]) => RecordInit,
    fields: readonly TypedExpr[],
    onFull?: () => void,
  ): void {
    sendFields(this, record, fields, onFull);
  }

  markExited(): void {
    const { b } = this;
    b.store(8, b.mapValue(systemMaps.loss, 8 * exitedSlot), 0, b.const(1));
  }

  requestExit(status: Value): void {
    const { b } = this;
    b.store(8, b.mapValue(systemMaps.loss, 8 * exitSlot), 0, b.bin("add", status, b.const(1)));
  }

  sendRaw(record: RecordInit, dataSize: number, fill: (dest: Dest) => void, onFull?: () => void): void {
    sendBytes(this, record, dataSize, fill, onFull);
  }
}

const newFunction = (b: FunctionBuilder, isCallback: boolean): FunctionState => ({
  b,
  exit: b.newBlock(),
  loops: [],
  registers: new Map(),
  homes: new Map(),
  scratchBase: undefined,
  id: undefined,
  frame: undefined,
  isCallback,
});

function frameLayout(program: TypedProgram, facts: LoopFacts, stackLimit: number): FrameLayout {
  let size = 40;
  const take = (bytes: number): number => {
    size += align8(bytes);
    return size - align8(bytes);
  };
  const variables = new Map<string, number>();
  for (const name of facts.captured) {
    const type = program.variables.get(name)?.type;
    if (type !== undefined && sizeOf(type) <= stackLimit) variables.set(name, take(sizeOf(type)));
  }
  const starts = new Map(facts.loops.map((loop) => [loop, loop.kind === "for-range" ? take(8) : 0] as const));
  return { context: 0, scratch: 8, left: 16, id: 24, result: 32, variables, starts, size };
}
