import { assertNever } from "../base/assert-never.js";
import type { Value } from "../ir/ir.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Place } from "../language/lowering.js";
import type { ContextLayout } from "../language/probe.js";
import type { ArgField } from "../language/typed.js";
import type { ParameterPlace } from "../types/dwarf-function.js";
import { type Type, u64 } from "../types/type.js";
import { cSizeOf } from "../wire/layout.js";
import { forgetPointer } from "./memory.js";
import type { ProgramLowering } from "./program-lowering.js";
import { trampolineNumber, trampolineRecord } from "./typed-pointers.js";

export const syscallTableName = (program: number): string => `syscalls${program}`;

/** struct pt_regs of the system call: argument 0 of sys_enter and sys_exit, a pointer that the verifier lets us follow. */
const syscallRegisters = (p: ProgramLowering): Value => p.b.load(8, false, p.b.ctx(), 0);

/** Records of raw_syscalls:* (include/trace/events/syscalls.h): `long id`, then `unsigned long args[6]` or `long ret`. */
const recordNumber = 8;
const recordRest = 16;

function syscallContext(p: ProgramLowering): ContextLayout & { readonly kind: "syscall" } {
  const { context } = p.variant;
  if (context.kind !== "syscall") throw new Error("internal: no syscall program");
  return context;
}

function syscallNumber(p: ProgramLowering): Value {
  const { exit, form } = syscallContext(p);
  if (form === "record") return p.b.load(8, false, p.b.ctx(), recordNumber);
  if (!exit) return p.b.load(8, false, p.b.ctx(), 8);
  const { offset, size } = p.object.machine.syscallNumber;
  return p.b.load(size, false, syscallRegisters(p), offset);
}

/**
 * Leaves unless the system call is one of the program's; answers the id of its attach point. 32-bit calls have other
 * numbers; the kernel's own syscall tracepoints ignore them too (kernel/trace/trace_syscalls.c, trace_get_syscall_nr).
 */
export function syscallId(p: ProgramLowering): Value {
  const { b } = p;
  const context = syscallContext(p);
  const number = syscallNumber(p);
  const other = b.newBlock();
  const mine = b.newBlock();
  const [only] = context.numbers;
  let id: Value;
  if (only !== undefined && context.numbers.size === 1) {
    b.branch("ne", number, b.const(only[0]), other, mine);
    b.seal(mine);
    b.setBlock(mine);
    id = b.const(only[1]);
  } else {
    const table = new Uint32Array(Math.max(...context.numbers.keys()) + 1);
    for (const [nr, target] of context.numbers) table[nr] = target + 1;
    p.object.syscallTables.set(p.index, table);
    const inside = b.newBlock();
    b.branch("uge", number, b.const(table.length), other, inside);
    b.seal(inside);
    b.setBlock(inside);
    const entry = b.bin("add", b.mapValue(syscallTableName(p.index), 0), b.bin("shl", number, b.const(2)));
    const found = b.load(4, false, entry, 0);
    b.branch("eq", found, b.const(0), other, mine);
    b.seal(mine);
    b.setBlock(mine);
    id = b.bin("sub", found, b.const(1));
  }
  const { compat } = p.object.machine;
  const status = compatOffset(p.object.kernel, compat.member);
  if (status !== undefined) {
    const native = b.newBlock();
    const flags = b.load(4, false, b.call("get_current_task_btf", []), status);
    b.branch("ne", b.bin("and", flags, b.const(compat.bits)), b.const(0), other, native, "else");
    b.seal(native);
    b.seal(other);
    b.setBlock(other);
    b.ret(b.const(0));
    b.setBlock(native);
    return id;
  }
  b.seal(other);
  const here = b.current;
  b.setBlock(other);
  b.ret(b.const(0));
  b.setBlock(here);
  return id;
}

/** The value of `args.x` that fits a register. */
export function argValue(p: ProgramLowering, field: ArgField): Value {
  const { b } = p;
  const { source } = field;
  switch (source.kind) {
    case "context":
      return contextField(p, field, source);
    case "data-loc": {
      // Documentation/trace/events.rst: low half offset, high half length; __rel_loc counts from behind itself.
      const word = b.load(4, false, b.ctx(), source.offset);
      const offset = b.bin("and", word, b.const(0xffff));
      const start = source.relative ? b.bin("add", offset, b.const(source.offset + 4)) : offset;
      return b.bin("add", p.contextAddress(), start);
    }
    case "syscall-arg":
      if (syscallContext(p).form === "record") return b.load(8, false, b.ctx(), recordRest + 8 * source.index);
      return b.load(8, false, syscallRegisters(p), p.object.machine.syscallArguments[source.index] ?? 0);
    case "syscall-number":
      return syscallNumber(p);
    case "syscall-result":
      return b.load(8, false, b.ctx(), syscallContext(p).form === "record" ? recordRest : 8);
    case "slot": {
      const raw = b.load(8, false, b.ctx(), 8 * source.index);
      // The verifier knows what it points at, and computes with it differently.
      const isTyped = field.type.kind === "pointer" && p.variant.type === "tracing";
      return isTyped ? forgetPointer(p, raw) : narrowed(p, field.type, raw);
    }
    case "trampoline-argument":
    case "trampoline-result":
      return narrowed(p, field.type, trampolineNumber(p, source));
    case "hidden":
      throw new Error(`internal: ${field.name} is hidden`);
    case "parameter":
      return parameterValue(p, source.place, field.type);
  }
}

/** What a register holds of a type; the bits above a narrow one are whatever was left there. */
function narrowed(p: ProgramLowering, type: Type, raw: Value): Value {
  if (type.kind === "bool") return p.b.ext(1, false, raw);
  if ((type.kind !== "int" && type.kind !== "enum") || type.size === 8) return raw;
  return p.b.ext(type.size, type.signed, raw);
}

/** A field of the context; an iterator's pointer is null behind the last object, and the verifier wants that asked. */
function contextField(
  p: ProgramLowering,
  field: ArgField,
  source: ArgField["source"] & { readonly kind: "context" },
): Value {
  const { b } = p;
  const value = p.read({ base: b.ctx(), offset: source.offset, space: "context" }, field.type);
  if (source.endsIfNull === true) {
    const missing = b.newBlock();
    const present = b.newBlock();
    b.branch("eq", value, b.const(0), missing, present, "else");
    b.seal(missing);
    b.seal(present);
    b.setBlock(missing);
    p.leave();
    b.setBlock(present);
  }
  return value;
}

/** `args.x` that lives in memory: an array or text in the record, a structure that a function is given. */
export function argPlace(p: ProgramLowering, field: ArgField): Place {
  if (field.source.kind === "parameter") return parameterPlace(p, field.source.place);
  if ("holds" in field.source) return trampolineRecord(p, field.source, cSizeOf(field.type));
  if (field.source.kind !== "context") throw new Error("internal: this argument has no place");
  return { base: p.b.ctx(), offset: field.source.offset, space: "context" };
}

function parameterRegister(p: ProgramLowering, number: number): Value {
  const offset = p.registerOffset(`arg${number}`);
  if (offset === undefined) throw new Error(`internal: no argument ${number} in a register`);
  return p.b.load(8, false, p.b.ctx(), offset);
}

const stackPlace = (p: ProgramLowering, offset: number): Place => ({
  base: p.b.load(8, false, p.b.ctx(), p.object.machine.stackPointer),
  offset: p.object.machine.stackArguments + offset,
  space: "user",
});

/** A parameter that fits a register. */
function parameterValue(p: ProgramLowering, place: ParameterPlace, type: Type): Value {
  const [only] = place.kind === "registers" ? place.numbers : [];
  if (only === undefined) return p.read(parameterPlace(p, place), type);
  return narrowed(p, type, parameterRegister(p, only));
}

function parameterPlace(p: ProgramLowering, place: ParameterPlace): Place {
  switch (place.kind) {
    case "registers": {
      const copy = p.temporary(8 * place.numbers.length, "parameter");
      for (const [i, number] of place.numbers.entries())
        p.b.store(8, copy.base, copy.offset + 8 * i, parameterRegister(p, number));
      return { ...copy, space: "bpf" };
    }
    case "stack":
      return stackPlace(p, place.offset);
    case "indirect":
      return { base: parameterRegister(p, place.number), offset: 0, space: "user" };
    case "indirect-stack":
      return { base: p.read(stackPlace(p, place.offset), u64), offset: 0, space: "user" };
    case "unreadable":
      throw new Error("internal: this parameter cannot be read");
    default:
      return assertNever(place);
  }
}

/** Where the kernel notes that a system call is a 32-bit one, from the start of struct task_struct. */
function compatOffset(kernel: KernelView, member: string): number | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  const info = btf.structMember("task_struct", "thread_info");
  const found = info === undefined ? undefined : btf.memberOf(info.type, member);
  return info === undefined || found === undefined ? undefined : (info.bitOffset + found.bitOffset) >> 3;
}
