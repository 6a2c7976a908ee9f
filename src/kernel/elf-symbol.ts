import { encodeBytes } from "../base/byte-text.js";
import { ByteReader } from "../base/bytes.js";
import type { Elf } from "../formats/elf.js";

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;

/** A symbol of any kind, of both symbol tables; elf.ts indexes functions only, and this looks for one name at a time. */
export function findSymbol(elf: Elf, name: string): { readonly address: bigint; readonly size: number } | undefined {
  const wanted = encodeBytes(`${name}\0`);
  const wide = elf.bits === 64;
  const entrySize = wide ? 24 : 16;
  for (const type of [SHT_SYMTAB, SHT_DYNSYM]) {
    const section = elf.sections.find((each) => each.type === type);
    const strings = section === undefined ? undefined : elf.sections[section.link];
    if (section === undefined || strings === undefined) continue;
    const names = Buffer.from(elf.data(strings));
    const table = new ByteReader(elf.data(section), elf.what);
    for (let at = 0; at + entrySize <= table.length; at += entrySize) {
      const start = table.u32(at);
      // st_shndx 0: defined elsewhere.
      if (table.u16(at + (wide ? 6 : 14)) === 0 || start + wanted.length > names.length) continue;
      if (names.compare(wanted, 0, wanted.length, start, start + wanted.length) !== 0) continue;
      const address = wide ? table.u64(at + 8) : BigInt(table.u32(at + 4));
      return { address, size: wide ? table.size64(at + 16) : table.u32(at + 8) };
    }
  }
  return undefined;
}
