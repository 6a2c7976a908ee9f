import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import { compileGlob, hasWildcard } from "../base/glob.js";
import { ET_DYN, ET_EXEC } from "../formats/elf.js";
import type { Missing, UserFile } from "../language/kernel-view.js";
import { namesIn } from "../sys/byte-files.js";
import { findBinary } from "./find-binary.js";
import { withElf } from "./open-elf.js";
import {
  filesOfAllProcesses,
  filesOfProgram,
  mappedFiles,
  programOf,
  rootOf,
  searchPlaces,
  searchPlacesOf,
} from "./process-files.js";

/** A process that an attach point is limited to. */
export interface Tracee {
  readonly pid: number;
  /** What it will run, if it still waits in front of its execve(2). */
  readonly becomes?: string | undefined;
}

/** The programs and libraries that `target` means: see KernelView.userFiles. */
export function findUserFiles(target: string, tracee: Tracee | undefined): readonly UserFile[] | Missing {
  if (target === "") {
    const program = tracee === undefined ? undefined : ownProgram(tracee);
    if (program !== undefined) return [program];
    return { missing: tracee === undefined ? "no file is named" : `process ${tracee.pid} runs no program` };
  }
  if (target === "*") return tracee === undefined ? filesOfAllProcesses() : filesOf(tracee);
  // A file inside of an archive has the archive's name in front: archive.zip!/lib/libx.so.
  if (hasWildcard(target)) return matchingFiles(target, tracee);
  const root = tracee === undefined || tracee.becomes !== undefined ? "" : rootOf(tracee.pid);
  const inside = tracee === undefined || root === "" ? undefined : findInside(target, tracee.pid, root);
  if (inside !== undefined) return [{ path: inside, shown: inside }];
  const library = tracee === undefined ? undefined : mappedLibrary(target, tracee);
  if (library !== undefined) return [library];
  const path = findBinary(target, searchPlaces());
  if (path === undefined) return { missing: `there is no program or library '${target}'` };
  // A path is shown as it was written, a name by where it was found.
  return [{ path, shown: target.includes("/") ? target : path }];
}

const ownProgram = ({ pid, becomes }: Tracee): UserFile | undefined =>
  becomes === undefined ? programOf(pid) : { path: becomes, shown: becomes };

function filesOf({ pid, becomes }: Tracee): readonly UserFile[] | Missing {
  if (becomes !== undefined) return filesOfProgram(becomes);
  return mappedFiles(pid) ?? { missing: `process ${pid} has ended, or may not be looked at` };
}

/** In the file system of a process whose root is not ours. */
function findInside(target: string, pid: number, root: string): string | undefined {
  // This is a path from here already.
  if (target.startsWith("/proc/")) return undefined;
  return findBinary(target, searchPlacesOf(pid, root));
}

/** A library by its name, as the process has it: there may be several versions. */
function mappedLibrary(target: string, tracee: Tracee): UserFile | undefined {
  if (target.includes("/") || !target.startsWith("lib")) return undefined;
  const files = filesOf(tracee);
  if ("missing" in files) return undefined;
  return files.find(({ shown }) => {
    const name = basename(shown);
    return name === target || (name.startsWith(target) && /^(?:\.so|-[\d.]+\.so)/.test(name.slice(target.length)));
  });
}

/** Files of the process that match, and, as a shell finds them, of the file system: each once. */
function matchingFiles(target: string, tracee: Tracee | undefined): readonly UserFile[] | Missing {
  const mapped = tracee === undefined ? [] : filesOf(tracee);
  if ("missing" in mapped) return mapped;
  const places = searchPlaces();
  const matches = compileGlob(target.includes("/") ? resolve(places.cwd, target) : target);
  const root = tracee === undefined || tracee.becomes !== undefined ? "" : rootOf(tracee.pid);
  const own = mapped.filter(({ shown }) => {
    const path = shown.startsWith(root) ? shown.slice(root.length) : shown;
    return matches(shown) || matches(path) || matches(basename(path));
  });
  // A name without a folder means PATH only where there is no process to look at.
  const bare = !target.includes("/");
  const folders = bare && tracee === undefined ? places.path.split(":") : [];
  const written = bare && tracee !== undefined ? [] : expandGlob(target, places.cwd);
  for (const folder of folders) written.push(...expandGlob(`${folder}/${target}`, places.cwd));
  const seen = new Set<string>();
  const found = [...own, ...written.map((file) => ({ path: resolve(places.cwd, file), shown: file }))].filter(
    ({ path }) => {
      const identity = binaryIdentity(path);
      // A link to a file that was found already would trace it twice.
      if (identity === undefined || seen.has(identity)) return false;
      seen.add(identity);
      return true;
    },
  );
  if (found.length > 0) return found;
  const where = !bare ? "" : tracee === undefined ? " in PATH" : ` of process ${tracee.pid}`;
  const advice = bare ? "; a pattern with a folder in front looks there: '/usr/lib/*/libc.*'" : "";
  return { missing: `no program or library${where} matches '${target}'${advice}` };
}

/** Device and inode of a program or library; undefined for every other file. */
function binaryIdentity(path: string): string | undefined {
  try {
    const { dev, ino, mode } = statSync(pathOf(path), { bigint: true });
    const type = withElf(path, (elf) => elf.type);
    const runs = type === ET_DYN || (type === ET_EXEC && (mode & 0o100n) !== 0n);
    return runs ? `${dev} ${ino}` : undefined;
  } catch (error) {
    if (error instanceof BeetraceError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

/** Names of files that a pattern with slashes means, sorted, written as the pattern is; glob(7). */
export function expandGlob(pattern: string, cwd: string): string[] {
  const absolute = pattern.startsWith("/");
  let found: string[] = [absolute ? "/" : ""];
  const parts = pattern.split("/").filter((part) => part !== "");
  for (const part of parts) {
    found = found.flatMap((folder) => {
      if (!hasWildcard(part)) return [`${folder}${part}/`];
      const matches = compileGlob(part);
      try {
        const names = namesIn(resolve(cwd, folder === "" ? "." : folder)).sort();
        // Names with a dot in front are hidden from wildcards.
        return names
          .filter((name) => matches(name) && (!name.startsWith(".") || part.startsWith(".")))
          .map((name) => `${folder}${name}/`);
      } catch {
        return [];
      }
    });
  }
  return found.map((path) => path.replace(/\/$/, ""));
}
