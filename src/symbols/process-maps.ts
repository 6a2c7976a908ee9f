import { readFileSync, readlinkSync } from "node:fs";
import { mapAt, type ProcMap, parseProcMaps } from "../formats/proc-maps.js";
import { isSystemError } from "./elf-file.js";
import type { JitNames } from "./jit-names.js";

/** What a process had mapped when it was last looked at. */
export interface ProcessImage {
  /** Start time and program: what tells one process from another with the same id, and from itself before an exec. */
  readonly identity: string;
  readonly maps: readonly ProcMap[];
}

/** Reads what a process has mapped; undefined if it has ended, has no user memory or may not be looked at. */
export function readProcessImage(procRoot: string, pid: number): ProcessImage | undefined {
  try {
    const maps = parseProcMaps(readFileSync(`${procRoot}/${pid}/maps`, "utf8"));
    const identity = readIdentity(procRoot, pid);
    // A zombie and a kernel thread have no mappings.
    return identity === undefined || maps.length === 0 ? undefined : { identity, maps };
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

export function readIdentity(procRoot: string, pid: number): string | undefined {
  try {
    const stat = readFileSync(`${procRoot}/${pid}/stat`, "latin1");
    // proc(5): starttime is field 22; the second, the name, is in parentheses and may contain anything.
    const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${startTime} ${readlinkSync(`${procRoot}/${pid}/exe`)}`;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** The images of a process id, newest first: a stack taken before an exec still needs the mappings of then. */
export class KnownProcess implements Disposable {
  private images: readonly ProcessImage[] = [];
  /** When it was last asked who it is. */
  checkedAt: number;
  /** When its mappings were last read. */
  readAt: number;
  /** Milliseconds after reading the mappings before an unmapped address is worth reading them again; grows in vain. */
  patience = 0;
  gone: boolean;
  /** Names of code made at run time; undefined where none were found when they were looked for, at `jitAskedAt`. */
  jit: JitNames | "untrusted" | undefined;
  jitAskedAt = Number.NEGATIVE_INFINITY;

  constructor(image: ProcessImage | undefined, now: number) {
    if (image !== undefined) this.images = [image];
    this.gone = image === undefined;
    this.checkedAt = now;
    this.readAt = now;
  }

  get identity(): string | undefined {
    return this.images[0]?.identity;
  }

  get maps(): readonly ProcMap[] {
    return this.images[0]?.maps ?? [];
  }

  get seen(): boolean {
    return this.images.length > 0;
  }

  at(address: bigint): ProcMap | undefined {
    for (const image of this.images) {
      const map = mapAt(image.maps, address);
      if (map !== undefined) return map;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.jit !== undefined && this.jit !== "untrusted") this.jit[Symbol.dispose]();
    this.jit = undefined;
  }

  update(image: ProcessImage, now: number): void {
    const others = this.images.filter((known) => known.identity !== image.identity);
    this.images = [image, ...others].slice(0, 3);
    this.checkedAt = now;
    this.readAt = now;
    this.gone = false;
  }
}
