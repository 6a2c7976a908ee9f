import { machines } from "../abi/registers.js";
import { BeetraceError, FormatError } from "../base/errors.js";
import { type Elf, ET_DYN } from "../formats/elf.js";
import { parseStapsdt, type StapsdtNote } from "../formats/stapsdt.js";
import { parseUsdtArguments } from "../formats/usdt-arguments.js";
import { resolveOperand } from "../formats/usdt-operand.js";
import type { KernelView, Missing, UsdtLocation, UsdtProbe } from "../language/kernel-view.js";
import { findSymbol } from "./elf-symbol.js";
import { requireMachine, withElf } from "./open-elf.js";

/** The statically defined probes of a file, sorted by provider and name; or why they cannot be read. */
export function readUsdtProbes(path: string, arch: KernelView["arch"]): readonly UsdtProbe[] | Missing {
  try {
    return withElf(path, (elf) => usdtProbes(elf, arch));
  } catch (error) {
    if (error instanceof BeetraceError) return { missing: error.message };
    return { missing: `${path} cannot be read: ${(error as Error).message}` };
  }
}

/** Same of an open file; throws FormatError. */
export function usdtProbes(elf: Elf, arch: KernelView["arch"]): readonly UsdtProbe[] {
  const notes = parseStapsdt(elf);
  if (notes.length > 0) requireMachine(elf, arch);
  const found = new Map<string, { provider: string; name: string; locations: UsdtLocation[] }>();
  for (const note of notes) {
    const location = locationOf(note, elf, arch);
    const key = `${note.provider}\0${note.name}`;
    const known = found.get(key);
    if (known !== undefined) known.locations.push(location);
    else found.set(key, { provider: note.provider, name: note.name, locations: [location] });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, probe]) => probe);
}

function locationOf(note: StapsdtNote, elf: Elf, arch: KernelView["arch"]): UsdtLocation {
  const offset = (address: bigint, what: string): number => {
    const found = elf.fileOffset(address);
    if (found !== undefined) return found;
    throw new FormatError(
      `${elf.what}: ${what} of ${note.provider}:${note.name} is at 0x${address.toString(16)}, which is not in the file`,
    );
  };
  const place = {
    address: note.address,
    relocated: elf.type === ET_DYN,
    instructionPointer: machines[arch].instructionPointerName,
  };
  return {
    offset: offset(note.address, "the place"),
    refCounter: note.semaphore === undefined ? undefined : offset(note.semaphore, "the counter"),
    arguments: parseUsdtArguments(note.arguments, arch).map((argument) => ({
      ...argument,
      operand: resolveOperand(argument.operand, place, (symbol) => findSymbol(elf, symbol)?.address),
    })),
  };
}
