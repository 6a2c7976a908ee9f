import { existsSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { pathOf } from "../base/byte-text.js";
import { namesIn, readText } from "../sys/byte-files.js";
import { insideArchive } from "./open-elf.js";

/** Where to look for programs and libraries that are given by name only. */
export interface SearchPlaces {
  /** $PATH. */
  readonly path: string;
  readonly cwd: string;
  /** Where the root directory is that paths start from, if it is another than ours: /proc/PID/root. */
  readonly root?: string;
}

/**
 * A path as it is; a bare name in $PATH and, if it begins with `lib`, in the folders of the dynamic linker, where `libc`
 * stands for the newest libc.so.N.
 */
export function findBinary(name: string, places: SearchPlaces): string | undefined {
  const { root = "" } = places;
  if (name.includes("/")) {
    const path = root + (isAbsolute(name) ? name : resolve(places.cwd, name));
    return existsSync(pathOf(insideArchive(path)?.archive ?? path)) ? path : undefined;
  }
  for (const folder of places.path.split(":")) {
    const path = root + join(folder === "" ? places.cwd : folder, name);
    if (isFile(path)) return path;
  }
  if (!name.startsWith("lib")) return undefined;
  for (const folder of libraryFolders(root)) {
    const found = libraryIn(root + folder, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return statSync(pathOf(path)).isFile();
  } catch {
    return false;
  }
}

function libraryIn(folder: string, name: string): string | undefined {
  let files: readonly string[];
  try {
    files = namesIn(folder);
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

/** What ld.so searches: ld.so(8) and /etc/ld.so.conf with its includes (ldconfig(8)), in the file system at `root`. */
export function libraryFolders(root: string): readonly string[] {
  const folders: string[] = [];
  readLinkerConfig(root, "/etc/ld.so.conf", folders, 0);
  return [...new Set([...folders, "/lib64", "/usr/lib64", "/lib", "/usr/lib"])];
}

function readLinkerConfig(root: string, path: string, into: string[], depth: number): void {
  let text: string;
  try {
    text = readText(root + path);
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
      const files = existsSync(pathOf(root + folder)) ? namesIn(root + folder).sort() : [];
      for (const file of files) if (file.endsWith(".conf")) readLinkerConfig(root, join(folder, file), into, depth + 1);
    }
  }
}
