import type { BtfId } from "../base/branded.js";
import type { Btf } from "../formats/btf.js";
import {
  type AddressSpace,
  type IntSize,
  int,
  type Member,
  none,
  pointer,
  type RecordType,
  string,
  type Type,
  u8,
} from "./type.js";

/** `bool`, 1 to 8 bytes; wider integers (__int128) have no counterpart and become bytes. */
function intOfSize(size: number, signed: boolean): Type {
  if (size === 1 || size === 2 || size === 4 || size === 8) return int(size, signed);
  return { kind: "array", of: u8, count: size };
}

/**
 * The language's view of a BTF type. Arrays of `char` are text; pointers inside point into `space` unless they carry the
 * kernel's `__user` tag. Members are converted when they are asked for: task_struct reaches half of the kernel.
 */
export function typeFromBtf(btf: Btf, id: BtfId, space: AddressSpace): Type {
  const stripped = btf.strip(id);
  const { type } = stripped;
  switch (type.kind) {
    case "int":
      return type.bool ? { kind: "bool" } : intOfSize(type.size, type.signed);
    case "pointer":
      return pointerFromBtf(btf, type.to, space);
    case "array": {
      const element = btf.strip(type.of).type;
      if (
        element.kind === "int" &&
        element.size === 1 &&
        !element.bool &&
        (element.char || element.signed || element.name === "char")
      ) {
        return string(type.count);
      }
      return { kind: "array", of: typeFromBtf(btf, type.of, space), count: type.count };
    }
    case "struct":
    case "union":
      return recordFromBtf(btf, stripped.id, space);
    case "enum": {
      const size = (type.size === 1 || type.size === 2 || type.size === 8 ? type.size : 4) satisfies IntSize;
      return {
        kind: "enum",
        name: `enum ${type.name || "(anonymous)"}`,
        size,
        signed: type.signed,
        values: type.values,
      };
    }
    default:
      return none;
  }
}

function pointerFromBtf(btf: Btf, to: BtfId, space: AddressSpace): Type {
  const target = btf.tagsOf(to).includes("user") ? "user" : space;
  const pointee = btf.strip(to);
  // A record behind a pointer is not looked into before somebody follows the pointer.
  if (pointee.type.kind === "struct" || pointee.type.kind === "union")
    return pointer(recordFromBtf(btf, pointee.id, target), target);
  if (pointee.type.kind === "forward") return pointer(opaque(pointee.type), target);
  if (pointee.type.kind === "func-proto") return pointer(none, target);
  return pointer(typeFromBtf(btf, to, target), target);
}

const opaque = (type: { readonly name: string; readonly union: boolean }): RecordType => ({
  kind: "record",
  name: `${type.union ? "union" : "struct"} ${type.name}`,
  size: 0,
  members: () => [],
});

export function recordFromBtf(btf: Btf, id: BtfId, space: AddressSpace): RecordType {
  const record = btf.recordOf(id);
  if (record === undefined) throw new Error(`internal: BTF type ${id} is no structure`);
  let members: readonly Member[] | undefined;
  return {
    kind: "record",
    name: `${record.kind} ${record.name || "(anonymous)"}`,
    size: record.size,
    kernel: { btf, id },
    members: () => {
      members ??= btf.membersOf(id).map((member) => ({
        name: member.name,
        get type() {
          return typeFromBtf(btf, member.type, space);
        },
        bitOffset: member.bitOffset,
        bitSize: member.bitSize,
      }));
      return members;
    },
  };
}
