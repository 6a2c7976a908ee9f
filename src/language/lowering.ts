import type { Span } from "../base/span.js";
import type { FunctionBuilder } from "../ir/builder.js";
import type { Value } from "../ir/ir.js";
import type { AddressSpace, Type } from "../types/type.js";
import type { lossCounters } from "../wire/map-storage.js";
import type { RecordField, RecordInit } from "../wire/record.js";
import type { Config } from "./config.js";
import type { TakenMaps } from "./emptied-maps.js";
import type { KernelView } from "./kernel-view.js";
import type { ProgramVariant, Target } from "./probe.js";
import type { MapAccess, TypedExpr, TypedMap } from "./typed.js";

/** Bytes at a base address; `context` memory may only be read, at constant offsets. */
export interface Place {
  readonly base: Value;
  readonly offset: number;
  readonly space: AddressSpace | "bpf" | "context";
}

/** Directly writable memory: a stack slot, scratch space, a ring record, a map value. */
export interface Dest {
  readonly base: Value;
  readonly offset: number;
}

/** Counters of what was lost; those of the script's maps come behind these. */
export type LossCounter = (typeof lossCounters)[number];

/** What builtins and map functions build their kernel half with. */
export interface Lowering {
  readonly b: FunctionBuilder;
  readonly variant: ProgramVariant;
  readonly kernel: KernelView;
  readonly config: Config;
  /** The value of an expression that lives in a register. */
  value(e: TypedExpr): Value;
  /** Writes a value of any type in the layout of wire/layout.ts; all its `sizeOf` bytes, padding zeroed if `clean`. */
  into(e: TypedExpr, dest: Dest, clean: boolean): void;
  /** A pointer, or the address of a structure, as the verifier knows it where it does: for helpers that ask for it. */
  typedAddress(e: TypedExpr): Value;
  /** Where an expression that lives in memory is; computes it into a temporary if it is nowhere yet. */
  place(e: TypedExpr): Place;
  /** Reads a register-sized value of C type `type`. */
  read(place: Place, type: Type): Value;
  /** Memory for the rest of the program: stack, or scratch if it is large. */
  temporary(size: number, name: string): Dest;
  address(dest: Dest): Value;
  /** Copies `size` bytes from anywhere. */
  copyFrom(dest: Dest, from: Place, size: number): void;
  /** Reads `size` bytes; `none` asks the address which space it is in. */
  readBytes(to: Value, size: Value, from: Value, space: AddressSpace): Value;
  /** Reads NUL-terminated text; `none` asks the address which space it is in. */
  readText(to: Value, size: Value, from: Value, space: AddressSpace): Value;
  /** What to add to the monotonic clock to get nanoseconds since 1970. */
  wallOffset(): Value;
  /** Monotonic nanoseconds at which the trace began. */
  startTime(): Value;
  /** Removes an entry; 1 if it was there. */
  deleteEntry(access: MapAccess): Value;
  /** Sends a record: its header, then `fields` one after the other by layoutOf. */
  send(
    record: (fields: readonly RecordField[]) => RecordInit,
    fields: readonly TypedExpr[],
    /** Instead of counting the loss if the ring is full. */
    onFull?: () => void,
  ): void;
  /** Programs that may end the trace do nothing from here on: user space needs a moment to detach them. */
  markExited(): void;
  /** Leaves the wish to end, with this status, where user space finds it without the ring. */
  requestExit(status: Value): void;
  /** Same with the data written by the caller. */
  sendRaw(
    record: RecordInit,
    dataSize: number,
    fill: (dest: Dest) => void,
    /** Instead of counting the loss if the ring is full. */
    onFull?: () => void,
  ): void;
  /** Copies the value of an entry, zeros if there is none; answers the address of its key. */
  entry(access: MapAccess, dest: Dest): Value;
  /** Gives a variable the value of an entry; 1 if there is one, else the variable stays as it is. */
  findEntry(access: MapAccess, variable: TypedExpr): Value;
  /** Address of the key of a map access, in memory. */
  key(access: MapAccess): Value;
  /** Where the action prints a map and empties it behind that: the two are done as one. */
  readonly taken: TakenMaps;
  map(name: string): TypedMap;
  /** Number of entries of a map with keys; bpf_for_each_map_elem(), since Linux 5.13. */
  countEntries(map: string): Value;
  /** Address of constant bytes that all programs share; they are made if the name is new. */
  table(name: string, bytes: () => Uint8Array): Value;
  /** Builds a function that helpers call, and answers its name; `what` is part of the name. */
  subprogram(what: string, build: (b: FunctionBuilder) => void): string;
  /** The same for one that is made once: nothing in it depends on its caller but by arguments. `pointsTo`: {@link IrFunction}. */
  sharedSubprogram(what: string, build: (b: FunctionBuilder) => void, pointsTo?: readonly number[]): string;
  /** The context's address as a plain number: offsets that only the event knows may be added to it. */
  contextAddress(): Value;
  /** Whether stacks are to say how many frames they have. */
  readonly stackLengths: boolean;
  /** Runs `then` if the value is not null, `otherwise` if it is. */
  ifPresent(pointer: Value, then: () => void, otherwise?: () => void): void;
  /** Runs `then` if a signed value is below zero. */
  ifNegative(value: Value, then: () => void): void;
  countLoss(counter: LossCounter): void;
  /** Counts what a map that is not the script's did not take: `full` if it was full, else by the errno. */
  countLostElement(full: LossCounter, code: Value): void;
  /** Index of a text in the object's table, which the user half sees by the same index. */
  text(value: string): number;
  /** Leaves the program. */
  leave(): void;
  /** Stack map for stacks of this depth. */
  stackMap(depth: number, buildIds?: boolean): string;
  /** Programs unwind stacks: what they do it with is made. */
  noteUnwinding(): void;
  /** Stacks that programs cannot unwind to their end may get it from user space: whoever has them as a key only adds to its value. */
  readonly defersStacks: boolean;
  /** Stacks are sent with their memory. */
  notePendingStacks(): void;
  /** Map of stacks of this depth that programs have unwound. */
  unwoundMap(depth: number): string;
  /** Map for stacks of this depth that the stack map has no room for. */
  overflowMap(depth: number): string;
  /** Stacks of processes that nobody has named are unwound, too: the trace is limited to some by other means. */
  readonly unwindsAll: boolean;
  /** User space will have to name addresses of processes, which it should look at while they live. */
  noteUserAddresses(): void;
  /** Id of this program's attach point. */
  targetId(): Value;
  /** All attach points of the script, by id. */
  readonly allTargets: readonly Target[];
  registerOffset(name: string): number | undefined;
  readonly span: Span;
}
