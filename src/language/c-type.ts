import type { Btf } from "../formats/btf.js";
import { typeFromBtf } from "../types/from-btf.js";
import {
  type AddressSpace,
  bool,
  i8,
  i16,
  i32,
  i64,
  none,
  pointer,
  type RecordType,
  string,
  type Type,
  u8,
  u16,
  u32,
  u64,
} from "../types/type.js";
import { kernelModule } from "./kernel-functions.js";
import type { KernelView } from "./kernel-view.js";

/** Types that have a name of their own; `long` and pointers are 64 bits wide on every machine that we know (LP64). */
const named: Readonly<Record<string, Type>> = {
  void: none,
  bool,
  _Bool: bool,
  char: i8,
  "signed char": i8,
  "unsigned char": u8,
  short: i16,
  "short int": i16,
  "unsigned short": u16,
  "short unsigned int": u16,
  "unsigned short int": u16,
  int: i32,
  signed: i32,
  "signed int": i32,
  unsigned: u32,
  "unsigned int": u32,
  uint: u32,
  ushort: u16,
  uchar: u8,
  long: i64,
  "long int": i64,
  "unsigned long": u64,
  "long unsigned int": u64,
  "unsigned long int": u64,
  ulong: u64,
  "long long": i64,
  "long long int": i64,
  "unsigned long long": u64,
  "long long unsigned int": u64,
  "unsigned long long int": u64,
  size_t: u64,
  ssize_t: i64,
  uintptr_t: u64,
  intptr_t: i64,
  pid_t: i32,
  uid_t: u32,
  gid_t: u32,
  off_t: i64,
  loff_t: i64,
  dev_t: u32,
  sector_t: u64,
  umode_t: u16,
  gfp_t: u32,
  ...Object.fromEntries(
    (
      [
        [8, i8, u8],
        [16, i16, u16],
        [32, i32, u32],
        [64, i64, u64],
      ] as const
    ).flatMap(([bits, signed, unsigned]) => [
      [`int${bits}`, signed],
      [`int${bits}_t`, signed],
      [`s${bits}`, signed],
      [`__s${bits}`, signed],
      [`uint${bits}`, unsigned],
      [`uint${bits}_t`, unsigned],
      [`u${bits}`, unsigned],
      [`__u${bits}`, unsigned],
      [`__le${bits}`, unsigned],
      [`__be${bits}`, unsigned],
    ]),
  ),
};

/** A base type by its name in C or in the language; undefined if nobody knows it. */
export function namedType(name: string, space: AddressSpace, kernel: KernelView | undefined): Type | undefined {
  const known = Object.hasOwn(named, name) ? named[name] : undefined;
  if (known !== undefined) return known;
  if (kernel === undefined) return undefined;
  const tag = /^(struct|union|enum) (.+)$/.exec(name);
  const kind = tag?.[1] as "struct" | "union" | "enum" | undefined;
  for (const btf of typeInformation(kernel)) {
    const id =
      kind === undefined
        ? (btf.findOwn(name, "typedef") ?? btf.findOwn(name, "struct"))
        : btf.findOwn(tag?.[2] ?? "", kind);
    if (id !== undefined) return typeFromBtf(btf, id, space);
  }
  return undefined;
}

/** Of the kernel, and then of each module, which is read only if a name was not found before it. */
function* typeInformation(kernel: KernelView): Generator<Btf> {
  for (const module of [kernelModule, ...kernel.modules()]) {
    const btf = kernel.moduleBtf(module);
    if (!("missing" in btf)) yield btf;
    else if (module === kernelModule) return;
  }
}

/** A type as C declares it, without array brackets: `const char *`, `struct file *`, `unsigned int`. Unknown ones are opaque. */
export function cTypeToType(cType: string, space: AddressSpace, kernel: KernelView | undefined): Type {
  const target = /\b__user\b/.test(cType) ? "user" : space;
  const text = cType
    .replace(/\b(?:const|volatile|__user|__kernel|__iomem|__rcu|restrict)\b/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  const stars = (text.match(/\*/g) ?? []).length;
  const base = text.replace(/[*\s]+$/, "").trim();
  let type: Type = namedType(base, target, kernel) ?? (stars > 0 ? opaqueRecord(base) : none);
  for (let i = 0; i < stars; i++) type = pointer(type, target);
  return type;
}

export const opaqueRecord = (name: string): RecordType => ({
  kind: "record",
  name,
  size: 0,
  members: () => [],
});

/** The language's own names that are no C. */
export function languageType(name: string): Type | undefined {
  return name === "string" ? string(0) : undefined;
}
