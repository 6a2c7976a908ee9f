import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { byteText, decodeBytes, joinedBytes, pathOf } from "../base/byte-text.js";
import { compileGlob } from "../base/glob.js";
import { readText } from "../sys/byte-files.js";

export interface Hierarchy {
  /** As paths are shown: `unified` for version 2, else the names of its controllers. */
  readonly name: string;
  readonly mountPoint: string;
}

/** Directories of one hierarchy that are looked at; a machine with more has other troubles. */
const mostDirectories = 100_000;

/** Paths of a cgroup in every hierarchy that has it, as `unified:/a,cpu:/b`; `pattern` chooses hierarchies by name. */
export function cgroupPaths(id: bigint, pattern: string | undefined): string {
  const chosen = pattern === undefined ? undefined : compileGlob(pattern);
  const found: string[] = [];
  for (const { name, mountPoint } of readHierarchies()) {
    if (chosen !== undefined && !chosen(name)) continue;
    const path = findDirectory(mountPoint, id);
    if (path !== undefined) found.push(`${name}:${path}`);
  }
  return found.join(",");
}

/** Mounted hierarchies, version 2 first, then by name. */
export function readHierarchies(): readonly Hierarchy[] {
  const unified: Hierarchy[] = [];
  const others: Hierarchy[] = [];
  for (const line of readText("/proc/self/mounts").split("\n")) {
    const [, mountPoint = "", type] = line.split(" ");
    // proc_pid_mounts(5): blanks and the like in paths are octal numbers behind a backslash.
    const path = joinedBytes(
      mountPoint.replace(/\\([0-7]{3})/g, (_, digits: string) => byteText(Number.parseInt(digits, 8))),
    );
    if (type === "cgroup2") unified.push({ name: "unified", mountPoint: path });
    else if (type === "cgroup") others.push({ name: path.split("/").at(-1) ?? "", mountPoint: path });
  }
  // One that is mounted twice counts once.
  const [version2] = unified;
  const first = others.filter((one, i) => others.findIndex((other) => other.name === one.name) === i);
  return [...(version2 === undefined ? [] : [version2]), ...first.sort((a, b) => (a.name < b.name ? -1 : 1))];
}

/** The directory below a mount point whose inode is the cgroup's id, as a path from there. */
function findDirectory(mountPoint: string, id: bigint): string | undefined {
  for (const path of directories(mountPoint)) {
    const stat = statSync(pathOf(join(mountPoint, path)), { bigint: true, throwIfNoEntry: false });
    if (stat?.ino === id) return path === "" ? "/" : path;
  }
  return undefined;
}

/** Every directory below a mount point, as a path from there: empty for itself, `/a/b`; parents first. */
export function* directories(mountPoint: string): Generator<string> {
  const work = [""];
  for (let at = 0; at < work.length && at < mostDirectories; at++) {
    const path = work[at] ?? "";
    yield path;
    try {
      for (const entry of readdirSync(pathOf(join(mountPoint, path)), { withFileTypes: true, encoding: "buffer" })) {
        if (entry.isDirectory()) work.push(`${path}/${decodeBytes(entry.name)}`);
      }
    } catch {
      // Removed meanwhile.
    }
  }
}
