import { ByteReader } from "../base/bytes.js";
import type { Elf } from "./elf.js";

/** A place of a statically defined probe in a program: one note of `.note.stapsdt`. */
export interface StapsdtNote {
  readonly provider: string;
  readonly name: string;
  /** Virtual address of the instruction, a nop. */
  readonly address: bigint;
  /** Virtual address of the 16-bit counter of who is tracing; undefined if the probe has none. */
  readonly semaphore: bigint | undefined;
  /** As the assembler wrote them: `8@%rdi -4@$1`. */
  readonly arguments: string;
}

const NT_STAPSDT = 3;

/**
 * The probes that sys/sdt.h (SystemTap, or one of its lookalikes) left in a file, in the order of their notes; none if
 * there is no section for them. Throws FormatError if a note is damaged. The format:
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
 */
export function parseStapsdt(elf: Elf): readonly StapsdtNote[] {
  const section = elf.section(".note.stapsdt");
  if (section === undefined) return [];
  const base = elf.section(".stapsdt.base")?.address;
  const word = elf.bits / 8;
  const notes: StapsdtNote[] = [];
  for (const note of elf.notesOf(section)) {
    if (note.name !== "stapsdt" || note.type !== NT_STAPSDT) continue;
    const reader = new ByteReader(note.bytes, `${elf.what}: .note.stapsdt`);
    const wordAt = (index: number): bigint => (word === 8 ? reader.u64(8 * index) : BigInt(reader.u32(word * index)));
    const [address, notedBase, semaphore] = [wordAt(0), wordAt(1), wordAt(2)];
    // Notes are not relocated when prelink(8) moves a file: they say where .stapsdt.base was.
    const moved = base === undefined || notedBase === 0n ? 0n : base - notedBase;
    const shifted = (at: bigint): bigint => BigInt.asUintN(elf.bits, at + moved);
    const texts: string[] = [];
    let at = 3 * word;
    for (let i = 0; i < 3; i++) {
      // Old notes end behind the name when there are no arguments.
      if (i === 2 && at >= reader.length) break;
      texts.push(reader.cString(at));
      at = note.bytes.indexOf(0, at) + 1;
    }
    const [provider = "", name = "", text = ""] = texts;
    notes.push({
      provider,
      name,
      address: shifted(address),
      semaphore: semaphore === 0n ? undefined : shifted(semaphore),
      arguments: text,
    });
  }
  return notes;
}
