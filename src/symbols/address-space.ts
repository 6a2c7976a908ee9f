import { countUpTo } from "../base/ordered.js";
import type { ElfFile } from "./elf-file.js";

/** What lies behind a range of a process's addresses: of /proc/PID/maps, or told by the kernel when it was mapped. */
export interface Mapping {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  readonly execute: boolean;
  /** `major:minor`, hexadecimal. */
  readonly device: string;
  readonly inode: bigint;
  /** As the process sees it; `[vdso]` ... for what is no file; undefined if anonymous. */
  readonly path: string | undefined;
  /** The file had been removed already. */
  readonly deleted: boolean;
  /** Of the file, where the kernel told it; then it told no inode. */
  readonly buildId?: string | undefined;
  /** Of the inode, where the kernel told it. */
  readonly generation?: bigint;
  /** When the kernel told of it, in nanoseconds of the monotonic clock. */
  readonly time?: bigint;
}

const isFile = (mapping: Mapping): boolean => mapping.buildId !== undefined || mapping.inode !== 0n;

/** Whether an address is the same place of the same file in both. */
export function samePlace(a: Mapping, b: Mapping, address: bigint): boolean {
  if (a === b) return true;
  if (!isFile(a) || !isFile(b)) return isFile(a) === isFile(b) && a.path === b.path;
  if (address - a.start + a.offset !== address - b.start + b.offset) return false;
  if (a.buildId !== undefined && b.buildId !== undefined) return a.buildId === b.buildId;
  // One was told with a build id, the other read with an inode: the path is what they have in common.
  if (a.buildId !== undefined || b.buildId !== undefined) return a.path === b.path;
  return a.inode === b.inode && a.device === b.device && a.path === b.path;
}

/** Ranges that something else was mapped over, kept for addresses from before; the oldest go first. */
const maxReplaced = 256;

interface Replaced {
  readonly mapping: Mapping;
  readonly until: bigint;
}

/** Mappings as numbers, for looking up many addresses; and the file of each, once somebody has opened it. */
export interface MappingIndex {
  readonly maps: readonly Mapping[];
  readonly starts: Float64Array;
  readonly files: (ElfFile | undefined)[];
}

/** What one program has mapped while it ran in a process: from its execve, or the fork, to the next execve. */
export class AddressSpace {
  /** Times are nanoseconds of the monotonic clock; 0: before anything was known. */
  readonly from: bigint;
  /** Everything executable in it is known, because it was seen from its beginning or read as a whole. */
  complete: boolean;
  /** Of a forked process: what it has from its parent. */
  readonly origin: AddressSpace | undefined;
  /** Ascending, without overlaps. Shared with the spaces that were forked off, so that it is never changed, but replaced. */
  private maps: readonly Mapping[];
  private replaced: readonly Replaced[];
  private indexed: MappingIndex | undefined;

  constructor(from: bigint, complete: boolean, origin?: AddressSpace) {
    this.from = from;
    this.complete = complete;
    this.origin = origin;
    this.maps = origin?.maps ?? [];
    this.replaced = [];
  }

  get mappings(): readonly Mapping[] {
    return this.maps;
  }

  /** For looking up addresses below 2^53; undefined where something else was at some of them before. */
  get index(): MappingIndex | undefined {
    if (this.replaced.length > 0) return undefined;
    const { maps } = this;
    if (this.indexed?.maps !== maps)
      this.indexed = { maps, starts: Float64Array.from(maps, ({ start }) => Number(start)), files: [] };
    return this.indexed;
  }

  /** Something was mapped. */
  add(mapping: Mapping, time: bigint): void {
    const { maps } = this;
    const first = countUpTo(maps.length, (i) => (maps[i]?.end ?? 0n) <= mapping.start);
    const kept: Mapping[] = [];
    let last = first;
    for (let old = maps[last]; old !== undefined && old.start < mapping.end; old = maps[++last]) {
      // The same again, as code made at run time has it at each change of its protection.
      if (old.start <= mapping.start && old.end >= mapping.end && samePlace(old, mapping, mapping.start)) return;
      if (old.start < mapping.start) kept.push({ ...old, end: mapping.start });
      // Of the same file in its old place, too: halves of a range that is made executable one after the other.
      if (!samePlace(old, mapping, mapping.start)) this.replace(old, time);
    }
    const before = last > first ? maps[last - 1] : undefined;
    const rest =
      before !== undefined && before.end > mapping.end
        ? [{ ...before, start: mapping.end, offset: before.offset + (mapping.end - before.start) }]
        : [];
    this.maps = [...maps.slice(0, first), ...kept, mapping, ...rest, ...maps.slice(last)];
  }

  /** All that there is now; what the kernel told of it is kept, as it says more. */
  read(all: readonly Mapping[], time: bigint): void {
    const old = this.maps;
    this.maps = all.map((mapping) => {
      const known = find(old, mapping.start);
      return known !== undefined && known.end === mapping.end && samePlace(known, mapping, mapping.start)
        ? known
        : mapping;
    });
    for (const mapping of old) {
      const now = find(this.maps, mapping.start);
      if (mapping.execute && now !== undefined && !samePlace(now, mapping, mapping.start)) this.replace(mapping, time);
    }
    this.complete = true;
  }

  /** Takes over what its parent had, which was not known when it was forked off; what was mapped since stays. */
  inherit(base: readonly Mapping[]): void {
    const own = this.maps;
    this.maps = base;
    for (const mapping of own) this.add(mapping, mapping.time ?? this.from);
    this.complete = true;
  }

  /** What has been at an address at any time from `since` on, newest first. */
  at(address: bigint, since: bigint): readonly Mapping[] {
    const now = find(this.maps, address);
    const found = now === undefined ? [] : [now];
    for (const { mapping, until } of this.replaced)
      if (until > since && mapping.start <= address && address < mapping.end) found.push(mapping);
    return found;
  }

  private replace(mapping: Mapping, until: bigint): void {
    if (mapping.execute) this.replaced = [{ mapping, until }, ...this.replaced].slice(0, maxReplaced);
  }
}

function find(maps: readonly Mapping[], address: bigint): Mapping | undefined {
  const map = maps[countUpTo(maps.length, (i) => (maps[i]?.start ?? 0n) <= address) - 1];
  return map === undefined || address >= map.end ? undefined : map;
}
