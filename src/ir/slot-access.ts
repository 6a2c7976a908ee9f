import { helpers } from "../abi/helpers.js";
import { graphOf } from "./graph.js";
import type { IrFunction, IrInstr, SlotId, Value } from "./ir.js";
import { usesOfEnd } from "./ops.js";

/** What a value that points into a slot points at; the offset is undefined if it is computed. */
export interface SlotPointer {
  readonly slot: SlotId;
  readonly offset: number | undefined;
}

/** One access to bytes `start` to `end` of a slot. `write` is certain to set them all, `maybe` may set some. */
export interface SlotAccess {
  readonly slot: SlotId;
  readonly kind: "read" | "write" | "maybe";
  readonly start: number;
  readonly end: number;
}

/** Who points into which slot. */
export interface SlotPointers {
  readonly pointers: ReadonlyMap<Value, SlotPointer>;
  /** Slots whose address goes where it is not followed (memory, block parameters): accessed anywhere. */
  readonly escaped: ReadonlySet<SlotId>;
  readonly constants: ReadonlyMap<Value, bigint>;
  readonly sizes: ReadonlyMap<SlotId, number>;
}

export function slotPointersOf(fn: IrFunction): SlotPointers {
  const pointers = new Map<Value, SlotPointer>();
  const escaped = new Set<SlotId>();
  const constants = new Map<Value, bigint>();
  const letGo = (value: Value): void => {
    const pointer = pointers.get(value);
    if (pointer !== undefined) escaped.add(pointer.slot);
  };
  for (const block of graphOf(fn).order) {
    for (const instr of block.instrs) {
      switch (instr.op) {
        case "const":
          constants.set(instr.dst, instr.value);
          break;
        case "slot":
          pointers.set(instr.dst, { slot: instr.slot, offset: 0 });
          break;
        case "bin":
          followBin(instr, pointers, constants, letGo);
          break;
        case "store":
        case "atomic":
          letGo(instr.value);
          break;
        case "ext":
        case "bswap":
          letGo(instr.a);
          break;
        default:
          break; // bases of accesses and arguments of calls are accesses, see accessesOf
      }
    }
    if (block.end.op !== "branch") usesOfEnd(block.end).forEach(letGo);
    else for (const edge of [block.end.then, block.end.else]) edge.args.forEach(letGo);
  }
  return { pointers, escaped, constants, sizes: new Map(fn.slots.map((slot) => [slot.id, slot.size])) };
}

function followBin(
  instr: IrInstr & { op: "bin" },
  pointers: Map<Value, SlotPointer>,
  constants: ReadonlyMap<Value, bigint>,
  letGo: (value: Value) => void,
): void {
  const left = pointers.get(instr.a);
  const right = pointers.get(instr.b);
  const pointer = left ?? right;
  if (pointer === undefined) return;
  const sum = instr.bin === "add" || (instr.bin === "sub" && left !== undefined);
  if (!sum || (left !== undefined && right !== undefined)) {
    letGo(instr.a);
    letGo(instr.b);
    return;
  }
  const by = constants.get(left === undefined ? instr.a : instr.b);
  const offset =
    by === undefined || pointer.offset === undefined
      ? undefined
      : pointer.offset + (instr.bin === "add" ? Number(by) : -Number(by));
  pointers.set(instr.dst, { slot: pointer.slot, offset });
}

/** The accesses that an instruction makes to slots that have not escaped. */
export function accessesOf(instr: IrInstr, slots: SlotPointers): readonly SlotAccess[] {
  const found: SlotAccess[] = [];
  const add = (base: Value, kind: SlotAccess["kind"], offset: number, size: number | undefined): void => {
    const pointer = slots.pointers.get(base);
    if (pointer === undefined || slots.escaped.has(pointer.slot)) return;
    const { slot } = pointer;
    const whole = slots.sizes.get(slot) ?? 0;
    if (pointer.offset === undefined) {
      found.push({ slot, kind: kind === "write" ? "maybe" : kind, start: 0, end: whole });
      return;
    }
    const start = Math.max(0, pointer.offset + offset);
    found.push({ slot, kind, start, end: size === undefined ? whole : Math.min(whole, start + size) });
  };
  switch (instr.op) {
    case "load":
      add(instr.base, "read", instr.offset, instr.width);
      break;
    case "store":
      add(instr.base, "write", instr.offset, instr.width);
      break;
    case "zero":
      add(instr.base, "write", instr.offset, instr.size);
      break;
    case "atomic":
      add(instr.base, "read", instr.offset, instr.width);
      add(instr.base, "maybe", instr.offset, instr.width);
      break;
    case "copy":
      add(instr.from, "read", instr.fromOffset, instr.size);
      add(instr.base, "write", instr.offset, instr.size);
      break;
    case "call":
      addArguments(instr, slots, add);
      break;
    case "callkernel":
    case "callfunc":
      for (const arg of instr.args) {
        add(arg, "read", 0, undefined);
        add(arg, "maybe", 0, undefined);
      }
      break;
    default:
      break;
  }
  return found;
}

function addArguments(
  instr: IrInstr & { op: "call" },
  slots: SlotPointers,
  add: (base: Value, kind: SlotAccess["kind"], offset: number, size: number | undefined) => void,
): void {
  const writes = helpers.get(instr.helper)?.writes;
  instr.args.forEach((arg, i) => {
    if (!slots.pointers.has(arg)) return;
    const output = writes?.find((w) => w.arg === i);
    if (writes === undefined) {
      // A computed address may lie anywhere in the slot, a known one only reaches upwards.
      add(arg, "read", 0, undefined);
      add(arg, "maybe", 0, undefined);
    } else if (output === undefined) add(arg, "read", 0, undefined);
    else {
      const sizeArg = instr.args[output.size];
      const size = sizeArg === undefined ? undefined : slots.constants.get(sizeArg);
      if (output.full && size !== undefined) add(arg, "write", 0, Number(size));
      else add(arg, "maybe", 0, size === undefined ? undefined : Number(size));
    }
  });
}

/** The bits of bytes `start` to `end`. */
export const byteMask = (start: number, end: number): bigint =>
  end <= start ? 0n : ((1n << BigInt(end - start)) - 1n) << BigInt(start);

/** Slots that some instruction of the function names at all. */
export function usedSlots(fn: IrFunction): Set<SlotId> {
  const used = new Set<SlotId>();
  for (const block of fn.blocks) for (const instr of block.instrs) if (instr.op === "slot") used.add(instr.slot);
  return used;
}
