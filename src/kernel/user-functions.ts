import type { Arch } from "../abi/registers.js";
import { BeetraceError } from "../base/errors.js";
import { ET_DYN } from "../formats/elf.js";
import { ElfFunctions } from "../formats/elf-functions.js";
import type { Missing, UserFunctions, UserSymbol } from "../language/kernel-view.js";
import { readSeparateSymbols } from "./debug-info.js";
import { findSymbol } from "./elf-symbol.js";
import { findBinary, type SearchPlaces } from "./find-binary.js";
import { miniDebugInfo } from "./mini-debug-info.js";
import { requireMachine, withElf } from "./open-elf.js";
import type { DebugPlaces } from "./separate-files.js";

/** The functions of a program or library, also of one that was stripped, if what was stripped is installed or packed in it. */
export function readUserFunctions(path: string, places: DebugPlaces, arch: Arch): UserFunctions | Missing {
  try {
    return withElf(path, (elf) => {
      const separate =
        elf.symbols("symtab") === undefined
          ? (readSeparateSymbols(elf, path, places) ?? miniDebugInfo(elf))
          : undefined;
      elf.symbols("dynsym");
      const read = (offset: number, most: number) => withElf(path, (open) => open.bytesUpTo(offset, most));
      return new ElfFunctions(requireMachine(elf, arch), read, separate);
    });
  } catch (error) {
    if (error instanceof BeetraceError) return { missing: error.message };
    return { missing: `${path} cannot be read: ${(error as Error).message}` };
  }
}

/** A variable or function of a program or library, beside one of its functions that a probe is on. */
export function readUserSymbol(
  name: string,
  symbol: string,
  probed: string,
  places: SearchPlaces,
): UserSymbol | Missing {
  const path = findBinary(name, places);
  if (path === undefined) return { missing: `there is no program or library '${name}'` };
  try {
    return withElf(path, (elf): UserSymbol | Missing => {
      const found = findSymbol(elf, symbol);
      if (found === undefined) return { missing: `${path} has no symbol '${symbol}'` };
      const probe = elf.function(probed);
      if (probe === undefined) return { missing: `${path} has no function '${probed}'` };
      return { ...found, relocated: elf.type === ET_DYN, probeAddress: probe.address };
    });
  } catch (error) {
    if (error instanceof BeetraceError) return { missing: error.message };
    return { missing: `${path} cannot be read: ${(error as Error).message}` };
  }
}
