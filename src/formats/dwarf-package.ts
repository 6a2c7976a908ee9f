import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import type { DwarfSectionName } from "./dwarf-unit.js";
import type { SectionBytes } from "./section-bytes.js";

/** No package has units for more. */
const maxIndex = 64 << 20;

/** Where a unit's parts are in the sections of a package. */
export type PackageParts = ReadonlyMap<DwarfSectionName, { readonly offset: number; readonly size: number }>;

/** DW_SECT_*, DWARF 5, 7.3.5.3; those of GNU's older packages have the same numbers, but for 8, which nobody asks for there. */
const sections: ReadonlyMap<number, DwarfSectionName> = new Map([
  [1, "info"],
  [3, "abbrev"],
  [4, "line"],
  [6, "str_offsets"],
  [8, "rnglists"],
]);

/** The parts of the unit with an id, by .debug_cu_index of a package file (.dwp); undefined if it is not there. */
export function packageParts(section: Uint8Array | SectionBytes, id: bigint, what: string): PackageParts | undefined {
  if (section.length > maxIndex) throw new FormatError(`${what}: .debug_cu_index has ${section.length} bytes`);
  const bytes = new DwarfCursor(section, what).bytes(section.length);
  const index = new ByteReader(bytes, `${what}: .debug_cu_index`);
  // Version 2 takes four bytes, 5 two and two of padding.
  const version = index.u16(0);
  if (version !== 2 && version !== 5) throw new FormatError(`${index.what}: version ${version}`);
  const [columns, units, slots] = [index.u32(4), index.u32(8), index.u32(12)];
  const rowsAt = 16 + 8 * slots;
  const namesAt = rowsAt + 4 * slots;
  const offsetsAt = namesAt + 4 * columns;
  const sizesAt = offsetsAt + 4 * columns * units;
  if (sizesAt + 4 * columns * units > index.length) throw new FormatError(`${index.what}: it ends behind the section`);
  for (let slot = 0; slot < slots; slot++) {
    const row = index.u32(rowsAt + 4 * slot);
    if (row === 0 || row > units || index.u64(16 + 8 * slot) !== id) continue;
    const parts = new Map<DwarfSectionName, { offset: number; size: number }>();
    for (let column = 0; column < columns; column++) {
      const name = sections.get(index.u32(namesAt + 4 * column));
      const at = 4 * ((row - 1) * columns + column);
      if (name !== undefined) parts.set(name, { offset: index.u32(offsetsAt + at), size: index.u32(sizesAt + at) });
    }
    return parts;
  }
  return undefined;
}
