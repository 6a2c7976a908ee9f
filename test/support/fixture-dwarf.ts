import { Dwarf } from "../../src/formats/dwarf.js";
import { Elf } from "../../src/formats/elf.js";

/** The debug information in a program of the fixtures. */
export function dwarfOf(bytes: Uint8Array): { readonly elf: Elf; readonly dwarf: Dwarf } {
  const elf = Elf.parse(bytes, "fixture");
  const dwarf = new Dwarf({
    what: "fixture",
    section: (name) => {
      const section = elf.section(`.debug_${name}`);
      return section === undefined ? undefined : elf.data(section);
    },
  });
  return { elf, dwarf };
}
