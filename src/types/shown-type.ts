import type { RecordType, Type } from "./type.js";

/** A member of a record that is shown. */
export interface ShownMember {
  readonly name: string;
  readonly type: ShownType;
  /** Bits from the start of the record. */
  readonly bitOffset: number;
  /** Width of a bit field, 0 otherwise. */
  readonly bitSize: number;
}

/** What is to be known of a type to show its values: plain data, which ends at pointers. */
export type ShownType =
  | Exclude<Type, { readonly kind: "record" | "pointer" | "array" | "tuple" }>
  | { readonly kind: "pointer" }
  | { readonly kind: "record"; readonly name: string; readonly size: number; readonly fields: readonly ShownMember[] }
  | { readonly kind: "array"; readonly of: ShownType; readonly count: number }
  | { readonly kind: "tuple"; readonly items: readonly ShownType[]; readonly names?: readonly string[] };

/** A type as its values are shown. */
export function shownType(type: Type): ShownType {
  switch (type.kind) {
    case "pointer":
      return { kind: "pointer" };
    case "record":
      return shownRecord(type);
    case "array":
      return { kind: "array", of: shownType(type.of), count: type.count };
    case "tuple": {
      const items = type.items.map(shownType);
      return { kind: "tuple", items, ...(type.names === undefined ? {} : { names: type.names }) };
    }
    default:
      return type;
  }
}

const known = new WeakMap<RecordType, ShownType>();

/** Structures of the kernel have hundreds of members, and those that are in them. */
function shownRecord(type: RecordType): ShownType {
  const found = known.get(type);
  if (found !== undefined) return found;
  const { name, size } = type;
  const fields = type.members().map((member) => {
    const { bitOffset, bitSize } = member;
    return { name: member.name, type: shownType(member.type), bitOffset, bitSize };
  });
  const shown: ShownType = { kind: "record", name, size, fields };
  known.set(type, shown);
  return shown;
}
