import type { BtfId } from "../base/branded.js";
import type { Btf, BtfType } from "../formats/btf.js";
import { argumentHolds } from "./btf-access.js";
import { typeFromBtf } from "./from-btf.js";
import { pointer, type Type } from "./type.js";

/** An argument or the result of a kernel function, where a trampoline leaves it for programs. */
export interface TrampolineValue {
  readonly name: string;
  readonly type: Type;
  /** In BTF. */
  readonly typeId: BtfId;
  /** Number of its first u64 in the program's context. */
  readonly slot: number;
  readonly holds: "number" | "structure" | "other";
}

export interface TrampolineSignature {
  readonly args: readonly TrampolineValue[];
  /** Undefined if the function returns nothing. */
  readonly result: TrampolineValue | undefined;
  /** The same for functions whose arguments and results look the same; with the name of the BTF it is unique. */
  readonly key: string;
}

/** MAX_BPF_FUNC_ARGS, include/linux/bpf.h; before Linux 6.6 x86-64 had 6. */
const mostSlots = 12;
/** Structures in registers; larger ones are on the stack, and the kernel makes no trampoline then. */
const mostBytes = 16;

/** Why the kernel makes no trampoline for a function: btf_distill_func_proto(), kernel/bpf/btf.c, v6.18. */
export function noTrampoline(btf: Btf, func: BtfId): string | undefined {
  const proto = prototypeOf(btf, func);
  if (proto === undefined) return "its type information is not that of a function";
  let slots = 0;
  for (const { name, type } of proto.params) {
    if (type === 0) return "it takes a variable number of arguments";
    const size = btf.sizeOf(type);
    if (size === 0 || size > mostBytes) return `its argument ${name} is a structure of ${size} bytes`;
    slots += slotsOf(size);
  }
  if (slots > mostSlots) return `its arguments fill ${slots} registers, and a trampoline keeps ${mostSlots}`;
  const { kind } = btf.strip(proto.returns).type;
  return kind === "struct" || kind === "union" ? "it returns a structure" : undefined;
}

/** What a trampoline of a function hands to programs, or why there is none. */
export function trampolineSignature(btf: Btf, func: BtfId): TrampolineSignature | { readonly missing: string } {
  const missing = noTrampoline(btf, func);
  const proto = prototypeOf(btf, func);
  if (missing !== undefined || proto === undefined) return { missing: missing ?? "" };
  const args: TrampolineValue[] = [];
  let slot = 0;
  for (const [index, { name, type }] of proto.params.entries()) {
    args.push({ name: name || `arg${index}`, ...valueAt(btf, type, slot) });
    slot += slotsOf(btf.sizeOf(type));
  }
  const isVoid = btf.strip(proto.returns).type.kind === "void";
  const result = isVoid ? undefined : { name: "retval", ...valueAt(btf, proto.returns, slot) };
  const key = [...proto.params.map(({ name, type }) => `${name}:${type}`), `:${proto.returns}`].join();
  return { args, result, key };
}

const slotsOf = (size: number): number => Math.ceil(size / 8);

function prototypeOf(btf: Btf, func: BtfId): Extract<BtfType, { readonly kind: "func-proto" }> | undefined {
  const declared = btf.type(func);
  const proto = declared.kind === "func" ? btf.type(declared.proto) : undefined;
  return proto?.kind === "func-proto" ? proto : undefined;
}

function valueAt(btf: Btf, typeId: BtfId, slot: number): Omit<TrampolineValue, "name"> {
  const type = typeFromBtf(btf, typeId, "kernel");
  // Kernels compiled by gcc do not say what is __user: text and numbers at a pointer are looked for where it points.
  const isPlain = type.kind === "pointer" && type.to.kind !== "record" && type.space === "kernel";
  return { type: isPlain ? pointer(type.to, "none") : type, typeId, slot, holds: argumentHolds(btf, typeId) };
}
