// The rule of one place of a file, without the table of all of them: what is looked for is found by the linker's index.

import { countUpTo } from "../base/ordered.js";
import { type CallFrameState, type CallRule, callRuleOf } from "./call-frame.js";
import { EhFrame, type Fde } from "./eh-frame-entries.js";
import type { Elf } from "./elf.js";
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
export function readCallRules(elf: Elf): CallRules {
  const [index, frames] = [elf.section(".eh_frame_hdr"), elf.section(".eh_frame")];
  if (frames === undefined || frames.size === 0 || frames.size > mostEhFrame) return new Rows(unwindRows(elf));
  if (index === undefined || index.size < pairsAt || index.size > mostEhFrame) return new Rows(unwindRows(elf));
  const pairs = elf.data(index);
  if (!usualHeader.every((byte, i) => pairs[i] === byte)) return new Rows(unwindRows(elf));
  const bytes = elf.data(frames);
  return new Indexed(elf, { pairs, at: Number(index.address) }, { bytes, at: Number(frames.address) });
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
const mostKnown = 8192;
/** Of one that is. */
const knownBytes = 120;

class Indexed implements CallRules {
  private readonly elf: Elf;
  private readonly pairs: DataView;
  private readonly indexAddress: number;
  private readonly count: number;
  private readonly framesAddress: number;
  private readonly frames: DataView;
  private readonly entries: EhFrame;
  private readonly pieces: readonly CodePiece[];
  private readonly known = new Map<number, CallRule>();

  constructor(
    elf: Elf,
    index: { readonly pairs: Uint8Array; readonly at: number },
    frames: { readonly bytes: Uint8Array; readonly at: number },
  ) {
    this.elf = elf;
    this.pieces = sectionsWithoutRules(elf);
    this.pairs = viewOf(index.pairs);
    this.indexAddress = index.at;
    this.count = Math.min(this.pairs.getUint32(countAt, true), Math.floor((index.pairs.length - pairsAt) / pairSize));
    this.frames = viewOf(frames.bytes);
    this.framesAddress = frames.at;
    this.entries = new EhFrame(frames.bytes, frames.at, `${elf.what}: .eh_frame`);
  }

  get memory(): number {
    return this.pairs.byteLength + this.frames.byteLength + mostKnown * knownBytes;
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
    return this.pairs.getInt32(pairsAt + pairSize * i + half, true) + this.indexAddress;
  }

  /** How many functions begin at or in front of an address. */
  private upTo(wanted: number): number {
    return countUpTo(this.count, (i) => this.word(i, 0) <= wanted);
  }

  private functionAt(wanted: number): Fde | undefined {
    const { frames } = this;
    const i = this.upTo(wanted) - 1;
    if (i < 0) return undefined;
    const start = this.word(i, 4) - this.framesAddress;
    if (start < 0 || start + 8 > frames.byteLength) return undefined;
    const size = frames.getUint32(start, true);
    const isLong = size === 0xffffffff;
    if (isLong && start + 12 > frames.byteLength) return undefined;
    const at = start + (isLong ? 12 : 4);
    const end = at + (isLong ? Number(frames.getBigUint64(start + 4, true)) : size);
    if (end > frames.byteLength) return undefined;
    const fde = this.entries.read({ at, end });
    return fde === undefined || wanted < fde.start || wanted >= fde.start + fde.size ? undefined : fde;
  }

  private ruleIn(fde: Fde, wanted: number): CallRule {
    let found: CallFrameState | undefined;
    const last = this.entries.run(fde, (until, state) => {
      if (found === undefined && wanted < until) found = state;
    });
    return callRuleOf(found ?? last);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
