import type { BtfId } from "../base/branded.js";
import { FormatError } from "../base/errors.js";
import type { BtfRecord } from "./btf-types.js";

/** A member found by name, perhaps inside anonymous members. */
export interface BtfMemberRef {
  readonly name: string;
  readonly type: BtfId;
  /** Bits from the start of the outermost structure. */
  readonly bitOffset: number;
  /** Width of a bit field, 0 otherwise. */
  readonly bitSize: number;
}

/** Where types come from. */
interface Records {
  recordOf(id: BtfId): BtfRecord | undefined;
}

/** More members than any real structure has; a broken blob could nest itself or double its members at each level. */
const maxMembers = 5000;
/** Deeper than any real structure nests anonymous ones. */
const maxDepth = 64;

/** The member of a record by name, also inside its anonymous members. */
export function memberIn(types: Records, record: BtfRecord, name: string): BtfMemberRef | undefined {
  for (const member of walk(types, record)) if (member.name === name) return member;
  return undefined;
}

/** Named members in order of declaration, those of anonymous members in their place. */
export const membersIn = (types: Records, record: BtfRecord): readonly BtfMemberRef[] => [...walk(types, record)];

function* walk(types: Records, record: BtfRecord): Generator<BtfMemberRef> {
  let left = maxMembers;
  const inside = function* (at: BtfRecord, bitOffset: number, depth: number): Generator<BtfMemberRef> {
    for (const member of at.members) {
      if (--left < 0 || depth > maxDepth)
        throw new FormatError("BTF: a structure contains itself or has too many members");
      if (member.name !== "") {
        yield { ...member, bitOffset: bitOffset + member.bitOffset };
        continue;
      }
      const inner = types.recordOf(member.type);
      if (inner !== undefined) yield* inside(inner, bitOffset + member.bitOffset, depth + 1);
    }
  };
  yield* inside(record, 0, 0);
}
