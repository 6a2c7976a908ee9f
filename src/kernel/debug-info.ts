import { basename, dirname, join, resolve } from "node:path";
import { BeetraceError, FormatError } from "../base/errors.js";
import { Dwarf, type DwarfSource, type SplitUnit } from "../formats/dwarf.js";
import { packageParts } from "../formats/dwarf-package.js";
import { Elf } from "../formats/elf.js";
import { partOf, SectionPages } from "../formats/section-bytes.js";
import type { Missing } from "../language/kernel-view.js";
import { debugSections } from "./debug-sections.js";
import { isSystemError, openedForEachRead } from "./open-elf.js";
import { type DebugPlaces, openSeparate } from "./separate-files.js";

export const debugRoot = "/usr/lib/debug";

/** The debugging information of a program or library: its own, or that of the file that was split off from it. */
export function readDebugInfo(path: string, places: DebugPlaces): Dwarf | Missing {
  try {
    const own = Elf.parse(openedForEachRead(path), path);
    const found = hasDebugInfo(own) ? own : openSeparate(own, path, places, openedForEachRead, hasDebugInfo)?.elf;
    if (found === undefined)
      return {
        missing: `${path} has no debugging information (DWARF): compile it with -g, or install its debug symbols`,
      };
    return dwarfOf(found, path, { pages: new SectionPages(), onUnpacked: () => undefined });
  } catch (error) {
    if (error instanceof BeetraceError) return { missing: error.message };
    return { missing: `${path} cannot be read: ${(error as Error).message}` };
  }
}

/** How sections are read. */
export interface DebugMemory {
  readonly pages: SectionPages;
  /** Is told of bytes that could not be read by pages. */
  onUnpacked(bytes: number): void;
}

export const hasDebugInfo = (elf: Elf): boolean => elf.section(".debug_info") !== undefined;

/** The debugging information in a file that stays open: that of the program `traced`, or what was split off from it. */
export function dwarfOf(elf: Elf, traced: string, memory: DebugMemory): Dwarf {
  const split = splitFiles(traced, memory);
  return new Dwarf({
    what: elf.what,
    section: debugSections(elf, "", memory.pages, memory.onUnpacked),
    split,
  });
}

/** The symbol table that was stripped from a file, if it is installed or beside it. */
export function readSeparateSymbols(elf: Elf, path: string, places: DebugPlaces): Elf | undefined {
  const hasSymbols = (other: Elf): boolean => other.symbols("symtab") !== undefined;
  const found = openSeparate(elf, path, places, openedForEachRead, hasSymbols);
  // Its tables have been read.
  return found?.elf;
}

/** The other halves of units: .dwo files where the compiler has left them or beside the program, or a .dwp file for all. */
function splitFiles(traced: string, memory: DebugMemory): (unit: SplitUnit) => DwarfSource | undefined {
  const home = dirname(traced);
  let inPackage: ((unit: SplitUnit) => DwarfSource | undefined) | undefined;
  return (unit) => {
    const files = [resolve(unit.folder === "" ? home : unit.folder, unit.name), join(home, basename(unit.name))];
    for (const file of files) {
      const elf = splitFile(file);
      if (elf !== undefined)
        return { what: file, section: debugSections(elf, ".dwo", memory.pages, memory.onUnpacked) };
    }
    inPackage ??= packageSource(`${traced}.dwp`, memory);
    return inPackage(unit);
  };
}

/** The other halves of all units of a program in one file, dwp(1). */
function packageSource(file: string, memory: DebugMemory): (unit: SplitUnit) => DwarfSource | undefined {
  const elf = splitFile(file);
  if (elf === undefined) return () => undefined;
  const section = debugSections(elf, ".dwo", memory.pages, memory.onUnpacked);
  return ({ id }) => {
    const index = section("cu_index");
    const parts = index === undefined ? undefined : packageParts(index, id, file);
    if (parts === undefined) return undefined;
    return {
      what: file,
      section: (name) => {
        const whole = section(name);
        // Texts are shared by all.
        if (whole === undefined || name === "str") return whole;
        const part = parts.get(name);
        return part === undefined ? undefined : partOf(whole, part.offset, part.size, file);
      },
    };
  };
}

function splitFile(file: string): Elf | undefined {
  try {
    const elf = Elf.parse(openedForEachRead(file), file);
    return elf.section(".debug_info.dwo") === undefined ? undefined : elf;
  } catch (error) {
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
}
