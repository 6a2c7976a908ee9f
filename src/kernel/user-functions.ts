import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { ByteReader } from "../base/bytes.js";
import { BeetraceError, FormatError } from "../base/errors.js";
import { type ByteSource, Elf } from "../formats/elf.js";
import type { Missing, UserFunction, UserSymbol } from "../language/kernel-view.js";

/** Where to look for programs and libraries that are given by name only. */
export interface SearchPlaces {
  /** $PATH. */
  readonly path: string;
  readonly cwd: string;
}

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

const ET_DYN = 3;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;

/** Of both symbol tables; elf.ts indexes functions only, and this looks for one name at a time. */
function findSymbol(elf: Elf, name: string): { readonly address: bigint; readonly size: number } | undefined {
  const wanted = Buffer.from(`${name}\0`, "utf8");
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

/** Opens a file for the time of `use`. */
export function withElf<T>(path: string, use: (elf: Elf) => T): T {
  const fd = openSync(path, "r");
  try {
    return use(Elf.parse(fileSource(fd, path), path));
  } finally {
    closeSync(fd);
  }
}

function fileSource(fd: number, path: string): ByteSource {
  const { size } = fstatSync(fd);
  return {
    size,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw new FormatError(`${path}: ${length} bytes at offset ${offset} lie outside its ${size} bytes`);
      }
      const bytes = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const count = readSync(fd, bytes, done, length - done, offset + done);
        if (count === 0) throw new FormatError(`${path}: it became shorter while it was read`);
        done += count;
      }
      return bytes;
    },
  };
}

/**
 * A path as it is; a bare name in $PATH and, if it begins with `lib`, in the folders of the dynamic linker, where `libc`
 * stands for the newest libc.so.N.
 */
export function findBinary(name: string, places: SearchPlaces): string | undefined {
  if (name.includes("/")) {
    const path = isAbsolute(name) ? name : resolve(places.cwd, name);
    return existsSync(path) ? path : undefined;
  }
  for (const folder of places.path.split(":")) {
    const path = join(folder === "" ? places.cwd : folder, name);
    if (isFile(path)) return path;
  }
  if (!name.startsWith("lib")) return undefined;
  for (const folder of libraryFolders()) {
    const found = libraryIn(folder, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function libraryIn(folder: string, name: string): string | undefined {
  let files: readonly string[];
  try {
    files = readdirSync(folder);
  } catch {
    return undefined;
  }
  if (files.includes(name) && isFile(join(folder, name))) return join(folder, name);
  const versions = files.filter(
    (file) => file.startsWith(`${name}.so`) && /^\.so(\.\d+)*$/.test(file.slice(name.length)),
  );
  // The version that programs are linked with (libc.so.6) before libc.so, which may be a linker script.
  versions.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return versions.map((file) => join(folder, file)).find(isFile);
}

/** What ld.so searches: ld.so(8) and /etc/ld.so.conf with its includes (ldconfig(8)). */
function libraryFolders(): readonly string[] {
  const folders: string[] = [];
  readLinkerConfig("/etc/ld.so.conf", folders, 0);
  return [...new Set([...folders, "/lib64", "/usr/lib64", "/lib", "/usr/lib"])];
}

function readLinkerConfig(path: string, into: string[], depth: number): void {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return;
  }
  for (const raw of text.split("\n")) {
    const line = raw.replace(/#.*/, "").trim();
    const include = /^include\s+(.*)$/.exec(line)?.[1];
    if (include === undefined) {
      if (isAbsolute(line)) into.push(line);
    } else if (depth < 4) {
      // Only `/etc/ld.so.conf.d/*.conf` occurs.
      const folder = resolve("/etc", include, "..");
      const files = existsSync(folder) ? readdirSync(folder).sort() : [];
      for (const file of files) if (file.endsWith(".conf")) readLinkerConfig(join(folder, file), into, depth + 1);
    }
  }
}
