import { ByteReader } from "../base/bytes.js";
import type { Elf } from "./elf.js";

/** What a file asks of the dynamic linker. */
export interface DynamicNeeds {
  /** Names of libraries (DT_NEEDED): `libc.so.6`. */
  readonly libraries: readonly string[];
  /** Where to look for them first (DT_RUNPATH, DT_RPATH); may begin with `$ORIGIN`. */
  readonly folders: readonly string[];
  /** The program that links it when it starts (PT_INTERP). */
  readonly interpreter: string | undefined;
}

const PT_INTERP = 3;
const SHT_DYNAMIC = 6;
const DT_NEEDED = 1n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;

/** Reads the dynamic section (System V ABI, chapter 5); a file without one needs nothing. Throws FormatError. */
export function dynamicNeeds(elf: Elf): DynamicNeeds {
  const segment = elf.segments.find(({ type }) => type === PT_INTERP);
  const interpreter =
    segment === undefined
      ? undefined
      : new ByteReader(elf.bytesAt(segment.offset, segment.fileSize), elf.what).cString(0);
  const section = elf.sections.find(({ type }) => type === SHT_DYNAMIC);
  const strings = section === undefined ? undefined : elf.sections[section.link];
  if (section === undefined || strings === undefined) return { libraries: [], folders: [], interpreter };
  const table = new ByteReader(elf.data(section), elf.what);
  const texts = new ByteReader(elf.data(strings), elf.what);
  const word = elf.bits / 8;
  const read = (at: number): bigint => (word === 8 ? table.u64(at) : BigInt(table.u32(at)));
  const libraries: string[] = [];
  const folders: string[] = [];
  for (let at = 0; at + 2 * word <= table.length; at += 2 * word) {
    const tag = read(at);
    if (tag === DT_NEEDED) libraries.push(texts.cString(Number(read(at + word))));
    if (tag === DT_RUNPATH || tag === DT_RPATH) folders.push(...texts.cString(Number(read(at + word))).split(":"));
  }
  return { libraries, folders, interpreter };
}
