import type { CMember, CRecord, CType } from "./c-type.js";

export interface Extent {
  /** Bytes. */
  readonly size: number;
  readonly align: number;
}

/** A member at its place; those without a name are left out, members of anonymous records stand in their stead. */
export interface PlacedMember {
  readonly name: string;
  readonly type: CType;
  readonly bitOffset: number;
  /** Width of a bit field, 0 otherwise. */
  readonly bitSize: number;
}

export interface RecordLayout extends Extent {
  readonly members: readonly PlacedMember[];
}

export type LayoutAnswer = RecordLayout | { readonly problem: string };

const wordSize = 8;
/** Larger than any structure of a kernel; sizes beyond are mistakes, and would fill the memory. */
const maxSize = 1 << 28;
const maxNesting = 64;

/**
 * Sizes, alignments and offsets as gcc and clang have them on x86-64 and arm64 Linux: System V psABI 3.1.2 and AAPCS64
 * 5.1 for ordinary members, 3.1.2 "Bit-Fields" for those. `external` knows types that no source defines.
 */
export class Layouts {
  private readonly external: (name: string) => Extent | undefined;
  private readonly records = new Map<CRecord, LayoutAnswer>();
  private depth = 0;

  constructor(external: (name: string) => Extent | undefined) {
    this.external = external;
  }

  extent(type: CType): Extent | { readonly problem: string } {
    switch (type.kind) {
      case "void":
      case "function":
        return { size: 1, align: 1 };
      case "bool":
        return { size: 1, align: 1 };
      case "int":
        return { size: type.size, align: type.size };
      case "opaque":
        return type;
      case "pointer":
        return { size: wordSize, align: wordSize };
      case "enum":
        return { size: type.of.size, align: type.of.size };
      case "array": {
        const element = this.extent(type.of);
        if ("problem" in element) return element;
        const size = element.size * type.count;
        if (size > maxSize) return { problem: `an array of ${size} bytes is too large` };
        return { size, align: element.align };
      }
      case "aligned": {
        const inner = this.extent(type.of);
        return "problem" in inner ? inner : { size: inner.size, align: Math.max(inner.align, type.align) };
      }
      case "record":
        return this.record(type.record);
      case "unknown":
        return this.external(type.name) ?? { problem: `the type '${type.name}' is unknown` };
    }
  }

  record(record: CRecord): LayoutAnswer {
    let layout = this.records.get(record);
    if (layout !== undefined) return layout;
    if (record.definition === undefined) {
      const known = this.external(record.name);
      return known === undefined
        ? { problem: `'${record.name}' is declared but not defined` }
        : { ...known, members: [] };
    }
    if (this.depth >= maxNesting) return { problem: `'${record.name}' is nested too deeply` };
    this.records.set(record, { problem: `'${record.name}' contains itself` });
    this.depth++;
    layout = this.compute(record);
    this.depth--;
    this.records.set(record, layout);
    return layout;
  }

  private compute(record: CRecord): LayoutAnswer {
    const { definition } = record;
    if (definition === undefined) return { problem: "not defined" };
    if (definition.problem !== undefined) return { problem: definition.problem };
    const members: PlacedMember[] = [];
    // Bits.
    let at = 0;
    let end = 0;
    let align = 1;
    for (const member of definition.members) {
      const extent = this.extent(member.type);
      if ("problem" in extent)
        return { problem: `${extent.problem} (member '${member.name ?? ""}' of ${record.name})` };
      const packed = definition.packed || member.packed;
      let own = packed ? 1 : extent.align;
      if (definition.pack > 0) own = Math.min(own, definition.pack);
      own = Math.max(own, member.align);
      if (record.union) at = 0;
      if (member.width === undefined) {
        at = roundUp(at, own * 8);
        this.place(members, member, at);
        at += extent.size * 8;
        align = Math.max(align, own);
      } else {
        const unit = extent.size * 8;
        if (member.width === 0) at = roundUp(at, unit);
        else {
          // A bit field does not cross a boundary of its type; packed ones do.
          const crosses = Math.floor(at / unit) !== Math.floor((at + member.width - 1) / unit);
          if (member.align > 0) at = roundUp(at, member.align * 8);
          else if (crosses && !packed && definition.pack === 0) at = roundUp(at, extent.align * 8);
          if (member.name !== undefined) {
            members.push({ name: member.name, type: member.type, bitOffset: at, bitSize: member.width });
            align = Math.max(align, own);
          }
          at += member.width;
        }
      }
      end = Math.max(end, at);
    }
    align = Math.max(align, definition.align);
    const size = roundUp(Math.ceil(end / 8), align);
    if (size > maxSize) return { problem: `${record.name} with ${size} bytes is too large` };
    return { size, align, members };
  }

  private place(members: PlacedMember[], member: CMember, at: number): void {
    if (member.name !== undefined) {
      members.push({ name: member.name, type: member.type, bitOffset: at, bitSize: 0 });
      return;
    }
    const { type } = member;
    const inner = type.kind === "record" ? this.record(type.record) : undefined;
    if (inner === undefined || "problem" in inner) return;
    for (const each of inner.members) members.push({ ...each, bitOffset: each.bitOffset + at });
  }
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;
