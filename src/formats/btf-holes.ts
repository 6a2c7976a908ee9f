// Holes in structures, as members without names, so that a compiler lays a printed structure out as the kernel's.

import type { BtfId } from "../base/branded.js";
import type { Btf } from "./btf.js";
import type { BtfRecord } from "./btf-types.js";

/** Types inside types; a BTF that goes on is damaged. */
const maxDepth = 64;

/** What the rules of C align types of one BTF to, in bytes. */
export class Alignments {
  private readonly btf: Btf;
  /** By type; 1 while it is found out, because a damaged BTF may go in circles. */
  private readonly known = new Map<BtfId, number>();

  private depth = 0;

  constructor(btf: Btf) {
    this.btf = btf;
  }

  /** 1 of a packed structure. */
  of(id: BtfId): number {
    const found = this.known.get(id);
    if (found !== undefined || this.depth > maxDepth) return found ?? 1;
    this.known.set(id, 1);
    this.depth++;
    const align = this.find(id);
    this.depth--;
    this.known.set(id, align);
    return align;
  }

  private find(id: BtfId): number {
    const { type } = this.btf.strip(id);
    switch (type.kind) {
      case "int":
      case "float":
      case "enum":
        return Math.max(1, Math.min(8, type.size));
      case "pointer":
        return 8;
      case "array":
        return this.of(type.of);
      case "struct":
      case "union": {
        const largest = Math.max(1, ...type.members.map((member) => this.of(member.type)));
        return this.isPacked(type) || type.size % largest !== 0 ? 1 : largest;
      }
      default:
        return 1;
    }
  }

  /** Whether C would lay it out otherwise unless it is told that there are no gaps. */
  isPacked(record: BtfRecord): boolean {
    return record.members.some(
      ({ type, bitOffset, bitSize }) => bitSize === 0 && bitOffset % (8 * this.of(type)) !== 0,
    );
  }
}

const words = [
  { name: "long", bits: 64 },
  { name: "int", bits: 32 },
  { name: "short", bits: 16 },
  { name: "char", bits: 8 },
] as const;

const up = (bits: number, to: number): number => Math.ceil(bits / to) * to;

/**
 * Declarations that fill the bits `from`..`to` in front of a member that is aligned to `align` bytes: those that C would
 * not leave by itself. `afterField`: a bit field ends at `from` and another follows.
 */
export function holes(from: number, to: number, align: number, afterField: boolean): readonly string[] {
  if (from >= to) return [];
  const word = words.find(({ bits }) => up(from, bits) <= to);
  if (word === undefined) return [`char: ${to - from}`];
  const lines: string[] = [];
  let at = from;
  const aligned = up(from, word.bits);
  if (aligned > from) {
    // C aligns to the next member, or to what fills the rest, by itself.
    const byItself = aligned === to ? up(from, 8 * align) === aligned : to - aligned > aligned - from;
    if (afterField || !byItself) lines.push(`${word.name}: ${afterField ? aligned - from : 0}`);
    at = aligned;
  }
  for (; to - at >= word.bits; at += word.bits) lines.push(`${word.name}: ${word.bits}`);
  const rest = words.findLast(({ bits }) => bits >= to - at);
  if (at < to && rest !== undefined) lines.push(`${rest.name}: ${to - at}`);
  return lines;
}
