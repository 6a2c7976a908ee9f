import { readFileSync } from "node:fs";
import { FormatError } from "../base/errors.js";
import { type ProcMap, parseProcMaps } from "../formats/proc-maps.js";
import { readLink, readText } from "../sys/byte-files.js";
import { type AddressSpace, type Mapping, samePlace } from "./address-space.js";
import { isSystemError } from "./elf-file.js";
import type { JitNames } from "./jit-names.js";

/** What a process had mapped when it was last looked at. */
export interface ProcessImage {
  /** Start time and program: what tells one process from another with the same id, and from itself before an exec. */
  readonly identity: string;
  readonly maps: readonly ProcMap[];
}

/** Reads what a process has mapped; undefined if it has ended or has no user memory, "denied" if it may not be looked at. */
export function readProcessImage(procRoot: string, pid: number): ProcessImage | "denied" | undefined {
  try {
    const text = readText(`${procRoot}/${pid}/maps`);
    // No path has one, and nothing could be opened by it.
    if (text.includes("\0")) return undefined;
    const maps = parseProcMaps(text);
    // A zombie and a kernel thread have no mappings.
    if (maps.length === 0) return undefined;
    const identity = readIdentity(procRoot, pid);
    return identity === undefined ? undefined : { identity, maps };
  } catch (error) {
    // What is no list of mappings tells of none.
    if (error instanceof FormatError) return undefined;
    if (!isSystemError(error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM" ? "denied" : undefined;
  }
}

export function readIdentity(procRoot: string, pid: number): string | undefined {
  try {
    const stat = readFileSync(`${procRoot}/${pid}/stat`, "latin1");
    // proc(5): starttime is field 22; the second, the name, is in parentheses and may contain anything.
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${startTime} ${readLink(`${procRoot}/${pid}/exe`)}`;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Programs that ran one after the other under a process id, of which addresses may still be asked. */
const maxSpaces = 16;

/** A process id, and what was mapped by the programs that ran under it: a stack may be of one that ran before. */
export class KnownProcess implements Disposable {
  readonly pid: number;
  /** Newest first. */
  spaces: readonly AddressSpace[] = [];
  /** Who forked it off. */
  parent: number | undefined;
  /** Of the newest program, if /proc was asked. */
  identity: string | undefined;
  /** The kernel has told its end. */
  ended = false;
  /** /proc has nothing of it. */
  gone = false;
  /** It may not be looked at. */
  denied = false;
  /** It waits in front of its execve: what it has mapped until then is not what is traced. */
  expectsExec = false;
  /** Mappings that it was told to have. */
  size = 0;
  /** When it was last asked who it is. */
  checkedAt: number;
  /** When its mappings were last read. */
  readAt = Number.NEGATIVE_INFINITY;
  /** Milliseconds after reading the mappings before an unmapped address is worth reading them again; grows in vain. */
  patience = 0;
  /** Names of code made at run time; undefined where none were found when they were looked for, at `jitAskedAt`. */
  jit: JitNames | "untrusted" | undefined;
  jitAskedAt = Number.NEGATIVE_INFINITY;

  constructor(pid: number, now: number) {
    this.pid = pid;
    this.checkedAt = now;
  }

  /** What the newest program has mapped. */
  get space(): AddressSpace | undefined {
    return this.spaces[0];
  }

  get seen(): boolean {
    return this.spaces.some(({ mappings }) => mappings.length > 0);
  }

  /** Another program runs. */
  begin(space: AddressSpace): AddressSpace {
    this.spaces = [space, ...this.spaces].slice(0, maxSpaces);
    this.identity = undefined;
    this.gone = false;
    this.patience = 0;
    this[Symbol.dispose]();
    return space;
  }

  forget(): void {
    this.spaces = [];
    this.expectsExec = false;
  }

  /**
   * The programs that can have run at some time from `since` on, and have most of `addresses` mapped to run: a stack is one
   * program's.
   */
  spacesOf(addresses: readonly bigint[], since: bigint): readonly AddressSpace[] {
    const possible = this.spacesSince(since);
    if (possible.length < 2) return possible;
    const counts = possible.map(
      (space) => addresses.filter((address) => space.at(address, since).some(({ execute }) => execute)).length,
    );
    const most = Math.max(...counts);
    return possible.filter((_, i) => counts[i] === most);
  }

  /** The programs that can have run at some time from `since` on. */
  spacesSince(since: bigint): readonly AddressSpace[] {
    const last = this.spaces.findIndex(({ from }) => from <= since);
    return last < 0 ? this.spaces : this.spaces.slice(0, last + 1);
  }

  [Symbol.dispose](): void {
    if (this.jit !== undefined && this.jit !== "untrusted") this.jit[Symbol.dispose]();
    this.jit = undefined;
    this.jitAskedAt = Number.NEGATIVE_INFINITY;
  }
}

/** What is at an address in some of a process's programs: "ambiguous" if they do not have the same there. */
export function mappingAt(
  spaces: readonly AddressSpace[],
  address: bigint,
  since: bigint,
): Mapping | "ambiguous" | undefined {
  let found: Mapping | undefined;
  for (const space of spaces) {
    for (const mapping of space.at(address, since)) {
      if (found !== undefined && !samePlace(found, mapping, address)) return "ambiguous";
      found ??= mapping;
    }
  }
  return found;
}
