import { statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import * as zlib from "node:zlib";
import { ByteReader } from "../base/bytes.js";
import { BeetraceError, FormatError } from "../base/errors.js";
import { Dwarf, type DwarfSource, type SplitUnit } from "../formats/dwarf.js";
import { packageParts } from "../formats/dwarf-package.js";
import type { Elf, ElfSection } from "../formats/elf.js";
import type { Missing } from "../language/kernel-view.js";
import { withElf } from "./open-elf.js";

export interface DebugPlaces {
  /** Directories of --debuginfo, in their order; those that are not absolute start from the traced file. */
  readonly folders: readonly string[];
  /** Where distributions put what they strip. */
  readonly root: string;
}

export const debugRoot = "/usr/lib/debug";

/** The debugging information of a program or library: its own, or that of the file that was split off from it. */
export function readDebugInfo(path: string, places: DebugPlaces): Dwarf | Missing {
  try {
    const found = withElf(path, (elf) => {
      if (hasDebugInfo(elf)) return path;
      return separateDebugFile(elf, path, places);
    });
    if (found === undefined)
      return {
        missing: `${path} has no debugging information (DWARF): compile it with -g, or install its debug symbols`,
      };
    return new Dwarf(fileSource(found, "", path));
  } catch (error) {
    if (error instanceof BeetraceError) return { missing: error.message };
    return { missing: `${path} cannot be read: ${(error as Error).message}` };
  }
}

/** The file that was split off from a program or library and has its debugging information; undefined if there is none. */
export const separateDebugFile = (elf: Elf, path: string, places: DebugPlaces): string | undefined =>
  separateFiles(elf, path, places).find((file) => isOtherHalf(file, elf, hasDebugInfo));

/** What line tables of a file need more than that is not read: nobody wants to wait for it, or to have the memory for it. */
const maxLineSections = 2 ** 28;

/**
 * Debugging information for the lines of a file that stays open, or of the one that was split off from it; undefined if
 * there is none, or if it has more than 256 MiB. `onRead` is told how many bytes were read. Throws FormatError.
 */
export function lineInfo(
  elf: Elf,
  path: string,
  separate: string | undefined,
  onRead: (bytes: number) => void,
): Dwarf | undefined {
  const source = separate === undefined ? openSource(elf, path) : fileSource(separate, "", path);
  const size =
    separate === undefined
      ? debugSize(elf)
      : withElf(separate, (other) => (hasDebugInfo(other) ? debugSize(other) : Number.POSITIVE_INFINITY));
  if (size > maxLineSections) return undefined;
  return new Dwarf({
    ...source,
    section: (name) => {
      const bytes = source.section(name);
      onRead(bytes?.length ?? 0);
      return bytes;
    },
  });
}

const debugSize = (elf: Elf): number =>
  elf.sections.reduce((sum, { name, size }) => (name.startsWith(".debug_") ? sum + size : sum), 0);

const openSource = (elf: Elf, path: string): DwarfSource => ({
  what: path,
  section: (name) => sectionOf(elf, `.debug_${name}`),
  split: (unit) => splitSource(unit, path),
});

export const hasDebugInfo = (elf: Elf): boolean => elf.section(".debug_info") !== undefined;

/** Where a debugger looks: GDB manual, Separate Debug Files. */
function separateFiles(elf: Elf, path: string, { folders, root }: DebugPlaces): readonly string[] {
  const id = elf.buildId();
  const link = elf.debugLink();
  const home = dirname(path);
  const given = folders.map((folder) => (isAbsolute(folder) ? folder : resolve(home, folder)));
  const found: string[] = [];
  if (id !== undefined && id.length > 2)
    for (const folder of [...given, root])
      found.push(join(folder, ".build-id", id.slice(0, 2), `${id.slice(2)}.debug`));
  // Without a link by the name that objcopy(1) suggests.
  const names = [basename(link?.file ?? `${basename(path)}.debug`)];
  for (const name of names) {
    for (const folder of given) found.push(join(folder, name));
    found.push(join(home, name), join(home, ".debug", name), join(root, resolve(home), name));
  }
  return found.filter((file) => file !== path);
}

/** The symbol table that was stripped from a file, if it is installed or beside it. */
export function readSeparateSymbols(elf: Elf, path: string, places: DebugPlaces): Elf | undefined {
  for (const file of separateFiles(elf, path, places)) {
    if (!isOtherHalf(file, elf, (other) => other.symbols("symtab") !== undefined)) continue;
    // Its tables are read now: the file is closed afterwards.
    return withElf(file, (other) => (other.symbols("symtab") === undefined ? undefined : other));
  }
  return undefined;
}

/** A file of that name may be of another build: the build ids must be the same, where there are any. */
function isOtherHalf(file: string, elf: Elf, hasWhatIsWanted: (other: Elf) => boolean): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    return withElf(file, (other) => {
      const [own, its] = [elf.buildId(), other.buildId()];
      return hasWhatIsWanted(other) && (own === undefined || own === its);
    });
  } catch {
    return false;
  }
}

function fileSource(file: string, suffix: "" | ".dwo", traced: string): DwarfSource {
  return {
    what: file,
    section: (name) => withElf(file, (elf) => sectionOf(elf, `.debug_${name}${suffix}`)),
    ...(suffix === "" ? { split: (unit: SplitUnit) => splitSource(unit, traced) } : {}),
  };
}

function sectionOf(elf: Elf, name: string): Uint8Array | undefined {
  const section = elf.section(name);
  return section === undefined ? undefined : unpacked(elf, section);
}

/** A section of more bytes is not debugging information that anybody wants to wait for. */
const maxSection = 2 ** 30;
const SHF_COMPRESSED = 0x800;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;

/** The bytes of a section that may be compressed: Elf64_Chdr or Elf32_Chdr in front of them, elf(5). */
export function unpacked(elf: Elf, section: ElfSection): Uint8Array {
  if (section.size > maxSection) throw new FormatError(`${elf.what}: ${section.name} has ${section.size} bytes`);
  const bytes = elf.data(section);
  if ((section.flags & SHF_COMPRESSED) === 0) return bytes;
  const reader = new ByteReader(bytes, `${elf.what}: ${section.name}`);
  const wide = elf.bits === 64;
  const type = reader.u32(0);
  const size = wide ? reader.size64(8) : reader.u32(4);
  const packed = reader.slice(wide ? 24 : 12, bytes.length - (wide ? 24 : 12));
  if (size > maxSection) throw new FormatError(`${elf.what}: ${section.name} has ${size} bytes when unpacked`);
  try {
    if (type === ELFCOMPRESS_ZLIB) return zlib.inflateSync(packed, { maxOutputLength: Math.max(size, 1) });
    // Node.js has it since 22.15.
    if (type === ELFCOMPRESS_ZSTD && "zstdDecompressSync" in zlib) {
      return (zlib.zstdDecompressSync as (input: Uint8Array, options: object) => Buffer)(packed, {
        maxOutputLength: Math.max(size, 1),
      });
    }
  } catch (error) {
    throw new FormatError(`${elf.what}: ${section.name} cannot be unpacked: ${(error as Error).message}`);
  }
  const how = type === ELFCOMPRESS_ZSTD ? "zstd, which Node.js unpacks since 22.15" : `the unknown method ${type}`;
  throw new FormatError(`${elf.what}: ${section.name} is compressed with ${how}`);
}

/** The other half of a unit: a .dwo file where the compiler has left it or beside the program. */
function splitSource(unit: SplitUnit, traced: string): DwarfSource | undefined {
  const home = dirname(traced);
  const files = [resolve(unit.folder === "" ? home : unit.folder, unit.name), join(home, basename(unit.name))];
  for (const file of files) {
    if (isSplitFile(file)) return fileSource(file, ".dwo", traced);
  }
  const file = `${traced}.dwp`;
  return isSplitFile(file) ? packageSource(file, unit.id) : undefined;
}

/** The other halves of all units of a program in one file, dwp(1). */
function packageSource(file: string, id: bigint): DwarfSource | undefined {
  const section = (name: string): Uint8Array | undefined => withElf(file, (elf) => sectionOf(elf, `.debug_${name}`));
  const index = section("cu_index");
  const parts = index === undefined ? undefined : packageParts(index, id, file);
  if (parts === undefined) return undefined;
  return {
    what: file,
    section: (name) => {
      const whole = section(`${name}.dwo`);
      const part = parts.get(name);
      // Texts are shared by all.
      return whole === undefined || part === undefined
        ? whole
        : new ByteReader(whole, file).slice(part.offset, part.size);
    },
  };
}

function isSplitFile(file: string): boolean {
  try {
    return statSync(file).isFile() && withElf(file, (elf) => elf.section(".debug_info.dwo") !== undefined);
  } catch {
    return false;
  }
}
