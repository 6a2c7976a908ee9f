// The rule of one place of a file, without the table of all of them: what is looked for is found by the linker's index.

import { countUpTo } from "../base/ordered.js";
import { type CallFrameState, type CallRule, callRuleOf } from "./call-frame.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import { EhFrame, type Fde } from "./eh-frame-entries.js";
import type { Elf } from "./elf.js";
import type { SectionPages } from "./section-bytes.js";
import { type CodePiece, mostEhFrame, mostEntry, sectionsWithoutRules, unwindRows } from "./unwind-rows.js";
import { cfaKinds } from "./unwind-rule.js";

/**
 * The beginning of `.eh_frame_hdr` (LSB Core 5.0, 10.6.2) as all linkers write it: version 1, a pointer relative to its place,
 * a count of 32 bits, and a sorted table of pairs of 32 bits relative to the section.
 */
const usualHeader = [1, 0x1b, 0x03, 0x3b] as const;
const countAt = 8;
const pairsAt = 12;
const pairSize = 8;

/** Rules of places of a file. */
export interface CallRules {
  /** Its rule is that of the file's table: `none` where the file has nothing of it. */
  at(place: number): CallRule;
  /** Bytes that it holds. */
  readonly memory: number;
}

/** Throws FormatError for what is damaged, as far as it is read. */
export function readCallRules(elf: Elf, pages: SectionPages): CallRules {
  const [index, frames] = [elf.section(".eh_frame_hdr"), elf.section(".eh_frame")];
  if (
    frames === undefined ||
    index === undefined ||
    frames.size === 0 ||
    frames.size > mostEhFrame ||
    index.size < pairsAt
  )
    return new Rows(unwindRows(elf));
  const what = `${elf.what}: .eh_frame_hdr`;
  const pairs = new DwarfCursor(elf.pagesOf(index, pages), what);
  if (!usualHeader.every((byte) => pairs.u8() === byte)) return new Rows(unwindRows(elf));
  const entries = new EhFrame(elf.pagesOf(frames, pages), Number(frames.address), `${elf.what}: .eh_frame`);
  return new Indexed(elf, pairs, Number(index.address), {
    entries,
    address: Number(frames.address),
    size: frames.size,
  });
}

/** Of files without the index, where what becomes of rbx is not in the table. */
class Rows implements CallRules {
  private readonly rows: Uint32Array;

  constructor(rows: Uint32Array) {
    this.rows = rows;
  }

  get memory(): number {
    return this.rows.byteLength;
  }

  at(place: number): CallRule {
    return { ...bare(ruleIn(this.rows, place)), base: "unknown" };
  }
}

/** Of what has no register but those of a rule. */
const bare = (rule: number): CallRule => ({ rule, fromBase: false, base: rule === cfaKinds.none ? "unknown" : "same" });

function ruleIn(rows: Uint32Array, place: number): number {
  const before = countUpTo(rows.length / 2, (i) => (rows[2 * i] ?? 0) <= place);
  return before === 0 ? cfaKinds.none : (rows[2 * before - 1] ?? cfaKinds.none);
}

/** Rules that are remembered; stacks come by the same places again. */
const mostKnown = 2048;
/** Of one that is. */
const knownBytes = 120;

interface Entries {
  readonly entries: EhFrame;
  readonly address: number;
  readonly size: number;
}

class Indexed implements CallRules {
  readonly memory = mostKnown * knownBytes;
  private readonly elf: Elf;
  private readonly pairs: DwarfCursor;
  private readonly indexAddress: number;
  private readonly count: number;
  private readonly frames: Entries;
  private readonly pieces: readonly CodePiece[];
  private readonly known = new Map<number, CallRule>();

  constructor(elf: Elf, pairs: DwarfCursor, indexAddress: number, frames: Entries) {
    this.elf = elf;
    this.pairs = pairs;
    this.indexAddress = indexAddress;
    pairs.at = countAt;
    this.count = Math.min(pairs.u32(), Math.floor((pairs.length - pairsAt) / pairSize));
    this.frames = frames;
    this.pieces = sectionsWithoutRules(elf);
  }

  at(place: number): CallRule {
    const known = this.known.get(place);
    if (known !== undefined) return known;
    const rule = this.find(place);
    if (this.known.size === mostKnown) this.known.clear();
    this.known.set(place, rule);
    return rule;
  }

  private find(place: number): CallRule {
    const address = this.elf.addressOf(place);
    if (address === undefined) return bare(cfaKinds.none);
    const wanted = Number(address);
    const fde = this.functionAt(wanted);
    if (fde !== undefined) return this.ruleIn(fde, wanted);
    if (this.isEntry(wanted)) return bare(cfaKinds.outermost);
    const piece = this.pieces.find((rows) => place >= (rows[0] ?? 0) && place < (rows[rows.length - 2] ?? 0));
    return bare(piece === undefined ? cfaKinds.none : ruleIn(piece, place));
  }

  /** Behind the entry point of a file that has no rule for it, as in the table of all rules. */
  private isEntry(wanted: number): boolean {
    const entry = Number(this.elf.entry);
    if (wanted < entry || wanted >= entry + mostEntry || this.functionAt(entry) !== undefined) return false;
    const last = this.upTo(wanted);
    return last === this.upTo(entry) && last < this.count;
  }

  /** Half of a pair as an address: where a function begins, or where its entry is. */
  private word(i: number, half: number): number {
    this.pairs.at = pairsAt + pairSize * i + half;
    return (this.pairs.u32() | 0) + this.indexAddress;
  }

  /** How many functions begin at or in front of an address. */
  private upTo(wanted: number): number {
    return countUpTo(this.count, (i) => this.word(i, 0) <= wanted);
  }

  private functionAt(wanted: number): Fde | undefined {
    const { entries, address, size } = this.frames;
    const i = this.upTo(wanted) - 1;
    if (i < 0) return undefined;
    const start = this.word(i, 4) - address;
    if (start < 0 || start + 8 > size) return undefined;
    const fde = entries.at(start);
    return fde === undefined || wanted < fde.start || wanted >= fde.start + fde.size ? undefined : fde;
  }

  private ruleIn(fde: Fde, wanted: number): CallRule {
    let found: CallFrameState | undefined;
    const last = this.frames.entries.run(fde, (until, state) => {
      if (found === undefined && wanted < until) found = state;
    });
    return callRuleOf(found ?? last);
  }
}
