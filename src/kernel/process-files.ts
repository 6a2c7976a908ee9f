// Files that processes run: programs, libraries, and where they are in file systems that are not ours.

import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { decodeBytes, pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import { dynamicNeeds } from "../formats/elf-dynamic.js";
import { type ProcMap, parseProcMaps } from "../formats/proc-maps.js";
import type { UserFile } from "../language/kernel-view.js";
import { currentFolder, readLink, readText } from "../sys/byte-files.js";
import { ownVariable } from "../sys/own-words.js";
import { findBinary, libraryFolders, type SearchPlaces } from "./find-binary.js";
import { withElf } from "./open-elf.js";

/** Where the root directory of a process is seen from here; empty if it is ours. */
export function rootOf(pid: number): string {
  try {
    // The mount namespace of a container is another; chroot(2) changes the root alone.
    const same = readLink(`/proc/${pid}/ns/mnt`) === readLink("/proc/self/ns/mnt");
    return same && readLink(`/proc/${pid}/root`) === "/" ? "" : `/proc/${pid}/root`;
  } catch {
    return "";
  }
}

/**
 * A path of `/proc/PID/maps` or `/proc/PID/exe` as it is seen from here. They start from the root of the process's mount
 * namespace, as far as that can be told: behind chroot(2) its own root directory is in front (d_path(), fs/d_path.c).
 */
function seenFromHere(root: string, path: string): string {
  if (root === "") return path;
  try {
    const own = readLink(root);
    return own !== "/" && path.startsWith(`${own}/`) ? root + path.slice(own.length) : root + path;
  } catch {
    return root + path;
  }
}

/** The file of a process's program; undefined if it has ended or is a kernel thread. */
export function programOf(pid: number): UserFile | undefined {
  try {
    const link = readLink(`/proc/${pid}/exe`);
    const path = seenFromHere(rootOf(pid), link);
    if (existsSync(pathOf(path))) return { path, shown: path };
    return { path: `/proc/${pid}/exe`, shown: path.replace(/ \(deleted\)$/, "") };
  } catch {
    return undefined;
  }
}

interface MappedFile extends UserFile {
  /** Device and inode: the file itself, whatever its name. */
  readonly identity: string;
}

/** Programs and libraries that a process has mapped; undefined if it has ended or may not be looked at. */
export function mappedFiles(pid: number): readonly MappedFile[] | undefined {
  let maps: readonly ProcMap[];
  try {
    maps = parseProcMaps(readText(`/proc/${pid}/maps`));
  } catch {
    return undefined;
  }
  const root = rootOf(pid);
  const found = new Map<string, MappedFile>();
  for (const map of maps) {
    const identity = `${map.device} ${map.inode}`;
    if (!map.execute || map.path?.startsWith("/") !== true || found.has(identity)) continue;
    const shown = seenFromHere(root, map.path);
    // The kernel still has the file, at least under the name of its mapping (proc(5), map_files; since Linux 4.3).
    const range = `${map.start.toString(16)}-${map.end.toString(16)}`;
    const path = map.deleted || !existsSync(pathOf(shown)) ? `/proc/${pid}/map_files/${range}` : shown;
    found.set(identity, { path, shown, identity });
  }
  return [...found.values()];
}

/** Numbers of all processes that there are, ascending. */
export const allProcesses = (): readonly number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);

/** Programs and libraries of all processes, each file once. */
export function filesOfAllProcesses(): readonly UserFile[] {
  const found = new Map<string, MappedFile>();
  for (const pid of allProcesses()) {
    // A process that has ended meanwhile has nothing to trace.
    for (const file of mappedFiles(pid) ?? []) if (!found.has(file.identity)) found.set(file.identity, file);
  }
  return [...found.values()];
}

/** What a program will have mapped when it runs: itself, its interpreter, its libraries and theirs. */
export function filesOfProgram(path: string): readonly UserFile[] {
  const found = new Map<string, UserFile>();
  const pending = [path];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.set(next, { path: next, shown: next });
    pending.push(...neededBy(next));
  }
  return [...found.values()];
}

function neededBy(path: string): readonly string[] {
  try {
    // `#!/usr/bin/env NAME` becomes another program again, which is found in PATH.
    const [, interpreter, argument] = /^#! *(\S+) *(\S*)/.exec(firstBytes(path)) ?? [];
    if (interpreter !== undefined) {
      const named = interpreter.endsWith("/env") ? findBinary(argument ?? "", searchPlaces()) : undefined;
      return named === undefined ? [interpreter] : [interpreter, named];
    }
    const { libraries, folders, interpreter: linker } = withElf(path, dynamicNeeds);
    const own = folders.map((folder) => resolve(folder.replace(/\$(?:ORIGIN|\{ORIGIN\})/, dirname(path))));
    const given = ownVariable("LD_LIBRARY_PATH")?.split(":") ?? [];
    const places = [...own, ...given, ...libraryFolders("")];
    const found = libraries.flatMap((name) => {
      const folder = places.find((each) => existsSync(pathOf(join(each, name))));
      return folder === undefined ? [] : [join(folder, name)];
    });
    return linker === undefined ? found : [linker, ...found];
  } catch (error) {
    // A file that is no ELF file needs nothing that could be probed.
    if (error instanceof BeetraceError || (error as NodeJS.ErrnoException).code !== undefined) return [];
    throw error;
  }
}

/** As many as the kernel looks at for `#!` (BINPRM_BUF_SIZE). */
function firstBytes(path: string): string {
  const fd = openSync(pathOf(path), "r");
  try {
    const bytes = Buffer.alloc(256);
    return decodeBytes(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(fd);
  }
}

/** Where this process looks for programs. */
export function searchPlaces(): SearchPlaces {
  return { path: ownVariable("PATH") ?? "", cwd: currentFolder() };
}

/** Where a process looks for programs, from its own root directory. */
export function searchPlacesOf(pid: number, root: string): SearchPlaces {
  try {
    const environment = readText(`/proc/${pid}/environ`).split("\0");
    const path = environment.find((each) => each.startsWith("PATH="))?.slice(5) ?? "/usr/bin:/bin";
    return { path, cwd: readLink(`/proc/${pid}/cwd`), root };
  } catch {
    return { path: "/usr/bin:/bin", cwd: "/", root };
  }
}
