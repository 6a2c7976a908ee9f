import { FormatError } from "../base/errors.js";
import { Elf } from "../formats/elf.js";
import { unpackXz } from "../formats/xz.js";

/** More is no table of a program's functions. */
const maxUnpacked = 64 << 20;

/**
 * The symbols that a distribution leaves in a stripped file for backtraces: an ELF file packed by xz in `.gnu_debugdata`,
 * with the functions that are not in its dynamic table (GDB manual, MiniDebugInfo). Undefined if there is none, or it is
 * damaged. Unpacking takes 0.1 s for each megabyte that it comes to.
 */
export function miniDebugInfo(elf: Elf): Elf | undefined {
  try {
    const section = elf.section(".gnu_debugdata");
    if (section === undefined) return undefined;
    const what = `${elf.what}: .gnu_debugdata`;
    const mini = Elf.parse(unpackXz(elf.data(section), what, maxUnpacked), what);
    return mini.symbols("symtab") === undefined ? undefined : mini;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
