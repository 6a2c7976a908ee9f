import * as zlib from "node:zlib";
import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import type { DwarfSectionName } from "../formats/dwarf-unit.js";
import type { Elf, ElfSection } from "../formats/elf.js";
import { type SectionBytes, type SectionPages, wholeSection } from "../formats/section-bytes.js";

/** What sections of a file that are compressed may come to: they are unpacked whole. */
const maxUnpacked = 2 ** 28;
const SHF_COMPRESSED = 0x800;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;

/** The debugging information of a file that stays open; `suffix` is that of the names of its sections. */
export function debugSections(
  elf: Elf,
  suffix: "" | ".dwo",
  pages: SectionPages,
  onUnpacked: (bytes: number) => void,
): (name: DwarfSectionName | "cu_index") => SectionBytes | undefined {
  let left = maxUnpacked;
  return (name) => {
    const section = elf.section(`.debug_${name}${name === "cu_index" ? "" : suffix}`);
    if (section === undefined) return undefined;
    if ((section.flags & SHF_COMPRESSED) === 0) return elf.pagesOf(section, pages);
    const bytes = unpacked(elf, section, left);
    left -= bytes.length;
    onUnpacked(bytes.length);
    return wholeSection(bytes);
  };
}

/** The bytes of a compressed section, at most so many: Elf64_Chdr or Elf32_Chdr in front of them, elf(5). */
function unpacked(elf: Elf, section: ElfSection, most: number): Uint8Array {
  const what = `${elf.what}: ${section.name}`;
  if (section.size > most) throw new FormatError(`${what} has ${section.size} compressed bytes, which is too many`);
  const bytes = elf.data(section);
  const reader = new ByteReader(bytes, what);
  const wide = elf.bits === 64;
  const type = reader.u32(0);
  const size = wide ? reader.size64(8) : reader.u32(4);
  const packed = reader.slice(wide ? 24 : 12, bytes.length - (wide ? 24 : 12));
  if (size > most) throw new FormatError(`${what} has ${size} bytes when unpacked, which is too many`);
  try {
    if (type === ELFCOMPRESS_ZLIB) return zlib.inflateSync(packed, { maxOutputLength: Math.max(size, 1) });
    // Node.js has it since 22.15.
    if (type === ELFCOMPRESS_ZSTD && "zstdDecompressSync" in zlib) {
      return (zlib.zstdDecompressSync as (input: Uint8Array, options: object) => Buffer)(packed, {
        maxOutputLength: Math.max(size, 1),
      });
    }
  } catch (error) {
    throw new FormatError(`${what} cannot be unpacked: ${(error as Error).message}`);
  }
  const how = type === ELFCOMPRESS_ZSTD ? "zstd, which Node.js unpacks since 22.15" : `the unknown method ${type}`;
  throw new FormatError(`${what} is compressed with ${how}`);
}
