import { statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import * as zlib from "node:zlib";
import { pathOf } from "../base/byte-text.js";
import { FormatError } from "../base/errors.js";
import { type ByteSource, Elf } from "../formats/elf.js";
import { isSystemError } from "./open-elf.js";

export interface DebugPlaces {
  /** Directories of --debuginfo, in their order; those that are not absolute start from the traced file. */
  readonly folders: readonly string[];
  /** Where distributions put what they strip. */
  readonly root: string;
}

/** A file that was split off from another one. */
export interface SeparateFile<F> {
  readonly path: string;
  /** Whoever asked for it closes it. */
  readonly file: F;
  readonly elf: Elf;
}

/**
 * The file that was split off from a program or library and has what is wanted; undefined if there is none. It is looked at
 * once it is open, so that it cannot be replaced in between.
 */
export function openSeparate<F extends ByteSource & Disposable>(
  elf: Elf,
  path: string,
  places: DebugPlaces,
  open: (path: string) => F,
  hasWhatIsWanted: (other: Elf) => boolean,
): SeparateFile<F> | undefined {
  try {
    for (const candidate of candidates(elf, path, places)) {
      const found = tryOpen(candidate, elf, open, hasWhatIsWanted);
      if (found !== undefined) return found;
    }
  } catch (error) {
    // Damaged notes, or a damaged link: what belongs to the file cannot be told.
    if (!(error instanceof FormatError)) throw error;
  }
  return undefined;
}

function tryOpen<F extends ByteSource & Disposable>(
  path: string,
  elf: Elf,
  open: (path: string) => F,
  hasWhatIsWanted: (other: Elf) => boolean,
): SeparateFile<F> | undefined {
  let file: F | undefined;
  try {
    if (!statSync(pathOf(path)).isFile()) return undefined;
    file = open(path);
    const other = Elf.parse(file, path);
    if (hasWhatIsWanted(other) && isOtherHalf(other, file, path, elf)) return { path, file, elf: other };
  } catch (error) {
    file?.[Symbol.dispose]();
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
  file[Symbol.dispose]();
  return undefined;
}

/** Where a debugger looks: GDB manual, Separate Debug Files. */
function candidates(elf: Elf, path: string, { folders, root }: DebugPlaces): readonly string[] {
  const id = elf.buildId();
  const home = dirname(path);
  const given = folders.map((folder) => (isAbsolute(folder) ? folder : resolve(home, folder)));
  const found: string[] = [];
  if (id !== undefined && id.length > 2)
    for (const folder of [...given, root])
      found.push(join(folder, ".build-id", id.slice(0, 2), `${id.slice(2)}.debug`));
  // Without a link by the name that objcopy(1) suggests.
  const name = basename(elf.debugLink()?.file ?? `${basename(path)}.debug`);
  for (const folder of given) found.push(join(folder, name));
  found.push(join(home, name), join(home, ".debug", name), join(root, resolve(home), name));
  return found.filter((file) => file !== path);
}

/**
 * A file of that name may be of another build: both have the same build id or, where one has none, it has the checksum that
 * the link tells.
 */
function isOtherHalf(other: Elf, file: ByteSource, path: string, elf: Elf): boolean {
  const [own, its] = [elf.buildId(), other.buildId()];
  if (own !== undefined && its !== undefined) return own === its;
  const link = elf.debugLink();
  return link !== undefined && basename(link.file) === basename(path) && checksum(file) === link.crc;
}

const chunk = 1 << 20;

/** CRC-32 of a whole file (GDB manual, Separate Debug Files). */
function checksum(file: ByteSource): number {
  let crc = 0;
  for (let at = 0; at < file.size; at += chunk) crc = zlib.crc32(file.read(at, Math.min(chunk, file.size - at)), crc);
  return crc;
}
