import { BeetraceError } from "../base/errors.js";
import { ET_DYN } from "../formats/elf.js";
import type { Missing, UserFunction, UserSymbol } from "../language/kernel-view.js";
import { findSymbol } from "./elf-symbol.js";
import { findBinary, type SearchPlaces } from "./find-binary.js";
import { withElf } from "./open-elf.js";

/** The functions of a program or library. */
export function readUserFunctions(
  name: string,
  places: SearchPlaces,
): { readonly path: string; readonly functions: readonly UserFunction[] } | Missing {
  const path = findBinary(name, places);
  if (path === undefined) return { missing: `there is no program or library '${name}'` };
  try {
    return withElf(path, (elf) => ({
      path,
      functions: Array.from(elf.functions(), ({ name, fileOffset, address }) => ({ name, fileOffset, address })),
    }));
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
