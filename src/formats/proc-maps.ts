import { FormatError } from "../base/errors.js";
import { countUpTo } from "../base/ordered.js";

/** A mapping of a process: a line of `/proc/PID/maps` (proc(5); fs/proc/task_mmu.c, show_map_vma(), Linux 6.12). */
export interface ProcMap {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly shared: boolean;
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  /** `major:minor`, hexadecimal. */
  readonly device: string;
  readonly inode: bigint;
  /** As the process's mount namespace sees it; `[vdso]`, `[stack]` ... for what is no file; undefined if anonymous. */
  readonly path: string | undefined;
  /** The file has been removed or replaced since. */
  readonly deleted: boolean;
}

const line =
  /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-])([w-])([x-])([sp]) ([0-9a-f]{1,16}) ([0-9a-f]+:[0-9a-f]+) (\d{1,20})(?:\s+(.*))?$/s;

/** Parses `/proc/PID/maps`; the mappings come in ascending order. */
export function parseProcMaps(text: string): readonly ProcMap[] {
  const maps: ProcMap[] = [];
  for (const each of text.split("\n")) {
    if (each === "") continue;
    const match = line.exec(each);
    if (match === null) throw new FormatError(`/proc/PID/maps: cannot read the line '${each.slice(0, 200)}'`);
    const [, start, end, read, write, execute, shared, offset, device, inode, rest] = match;
    const deleted = rest?.endsWith(" (deleted)") === true;
    const path = deleted ? rest.slice(0, -10) : rest;
    maps.push({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      read: read === "r",
      write: write === "w",
      execute: execute === "x",
      shared: shared === "s",
      offset: BigInt(`0x${offset}`),
      device: device ?? "",
      inode: BigInt(inode ?? 0),
      // The kernel writes a line break in a name as \012 (seq_file_path() with escape "\n").
      path: path === undefined || path === "" ? undefined : path.replaceAll("\\012", "\n"),
      deleted,
    });
  }
  return maps;
}

/** The mapping that holds an address. */
export function mapAt(maps: readonly ProcMap[], address: bigint): ProcMap | undefined {
  const map = maps[countUpTo(maps.length, (i) => (maps[i]?.start ?? 0n) <= address) - 1];
  return map === undefined || address >= map.end ? undefined : map;
}
