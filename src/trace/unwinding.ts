import { E2BIG } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import type { ProcMap } from "../formats/proc-maps.js";
import { filesOfProgram } from "../kernel/process-files.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { readMap } from "../load/map-reader.js";
import { isSystemError } from "../symbols/elf-file.js";
import { openMappedFile } from "../symbols/mapped-file.js";
import { readIdentity, readProcessImage } from "../symbols/process-maps.js";
import { mapDelete, mapGetNextKey, mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import {
  mappingLayout,
  mostMappings,
  mostUnwound,
  processLayout,
  processSize,
  unwindMaps,
  vdsoInode,
  wantedLayout,
} from "../wire/unwind.js";
import { UnwindTables, unwindKey } from "./unwind-tables.js";

const procRoot = "/proc";

/** How often programs' wishes are read, in milliseconds: at first, and at most. */
const firstLook = 5;
const lastLook = 100;

/** Looks between those at the mappings of the processes. */
const looksPerRead = 10;

/** Processes whose mappings are read at the beginning; more of them are met one by one. */
const mostSeeded = 1024;

/** Milliseconds in which they are, before others have their turn. */
const sliceMilliseconds = 5;

/** Processes that are met at one look. */
const mostMet = 32;

/** News of a process in a second that are looked at. */
const mostNews = 20;

export interface UnwindingOptions {
  readonly warn: (message: string) => void;
  /** Programs of ours keep the map of processes when they execute others. */
  readonly isToldOfExec: boolean;
  /** Told of each process that is looked at, which may end soon. */
  readonly remember: (pid: number) => void;
}

/** Keeps the tables that programs unwind stacks by: of the files of processes, and of those that programs ask for. */
export class Unwinding implements Disposable {
  private readonly sys: Sys;
  private readonly processes: LoadedMap;
  private readonly news: LoadedMap;
  private readonly tables: UnwindTables;
  private readonly wanted: LoadedMap;
  private readonly options: UnwindingOptions;
  /** Whose mappings are read again and again. */
  private readonly followed = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private looks = 0;
  private lookedAt = 0;
  /** News of processes in the second that began then. */
  private readonly counts = new Map<number, number>();
  private countedFrom = 0;
  private isFull = false;
  private isOver = false;
  private when: "now" | "soon" = "now";

  constructor(sys: Sys, loaded: LoadedObject, options: UnwindingOptions) {
    this.sys = sys;
    this.processes = loaded.map(unwindMaps.processes);
    this.news = loaded.map(unwindMaps.news);
    this.tables = new UnwindTables(sys, loaded, options.warn);
    this.wanted = loaded.map(unwindMaps.wanted);
    this.options = options;
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    clearTimeout(this.timer);
    this.tables[Symbol.dispose]();
  }

  /** What can be done before it is known whose stacks are wanted. */
  prepare(): void {
    this.tables.addVdso();
  }

  /** Resolves when programs have the tables that were made until now. To be awaited before this is disposed of. */
  settled(): Promise<void> {
    return this.tables.settled();
  }

  /** Tables for all that a process has mapped now. */
  follow(pid: number): void {
    this.followed.add(pid);
    this.readProcess(pid);
  }

  /** The same of a process that is about to execute a program: for what that will map, as far as its file says. */
  expect(pid: number, program: string): void {
    // What it runs until then is forgotten when it executes the program, if we are told of that.
    if (this.options.isToldOfExec) this.readProcess(pid);
    else this.putProcess(pid, []);
    this.followed.add(pid);
    this.expectFile(program);
  }

  /** The same of a program or library, whoever runs it. */
  expectFile(program: string): void {
    for (const { path } of [{ path: program }, ...filesOfProgram(program)]) {
      try {
        this.tables.expect(path);
      } catch (error) {
        // What the process maps in the end tells; such a file has its table a moment later.
        if (!isSystemError(error) && !(error instanceof SyscallError)) throw error;
      }
    }
  }

  /**
   * What processes have mapped, beside other work. Their files have tables when somebody asks for them: to make those of all
   * takes seconds, and most of them are of no use.
   */
  async seed(pids: readonly number[]): Promise<void> {
    let until = 0;
    for (const pid of pids.slice(0, mostSeeded)) {
      if (performance.now() >= until) {
        await new Promise((resolve) => setImmediate(resolve));
        until = performance.now() + sliceMilliseconds;
      }
      if (this.isOver) return;
      // What is known of these is better: under which keys their files have tables.
      if (this.followed.has(pid)) continue;
      const image = readProcessImage(procRoot, pid);
      if (image === undefined || image === "denied") continue;
      const maps = image.maps.filter(isCode);
      // Kernel threads have none.
      if (maps.length > 0) this.putRead(pid, maps, image.identity);
    }
  }

  /** From now on looks at what programs ask for, and lets others have their turn. */
  start(): void {
    this.when = "soon";
    this.lookIn(firstLook);
  }

  private lookIn(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.lookIn(this.look() ? firstLook : Math.min(2 * milliseconds, lastLook));
    }, milliseconds);
  }

  /** A program has cut a stack for want of what is known here. */
  wish(): void {
    // Those behind the first often say the same.
    if (performance.now() - this.lookedAt >= 1) this.look();
    else this.lookIn(1);
  }

  /** Makes the tables that programs want, and looks at processes that they have met; true if there were any. */
  private look(): boolean {
    let some = false;
    for (const { key, value } of [...readMap(this.sys, this.wanted)]) {
      some = true;
      this.addWanted(key, new DataView(value.buffer, value.byteOffset));
      mapDelete(this.sys, this.wanted.fd, key);
    }
    this.lookedAt = performance.now();
    if (some || ++this.looks % looksPerRead === 0) for (const pid of this.followed) this.readProcess(pid);
    return this.meet() || some;
  }

  /** Reads processes that programs have met, or that have executed another program; true if there were any. */
  private meet(): boolean {
    const key = zeroed(4);
    let met = 0;
    for (; met < mostMet && mapGetNextKey(this.sys, this.news.fd, undefined, key); met++) {
      mapDelete(this.sys, this.news.fd, key);
      const pid = new DataView(key.buffer).getUint32(0, true);
      if (!this.isRestless(pid)) this.readProcess(pid);
    }
    return met > 0;
  }

  /** One that maps code all the time, or is held by others while programs ask, would have us do nothing else. */
  private isRestless(pid: number): boolean {
    if (this.lookedAt - this.countedFrom > 1000) {
      this.counts.clear();
      this.countedFrom = this.lookedAt;
    }
    const count = (this.counts.get(pid) ?? 0) + 1;
    this.counts.set(pid, count);
    return count > mostNews;
  }

  private addWanted(key: Uint8Array, view: DataView): void {
    const pid = Number(view.getBigUint64(wantedLayout.process, true));
    const start = view.getBigUint64(wantedLayout.start, true);
    const image = readProcessImage(procRoot, pid);
    const maps = image === undefined || image === "denied" ? [] : image.maps;
    const map = maps.find((each) => each.start === start);
    // It has ended, or has unmapped it: another may still want the file.
    if (map === undefined) return;
    this.tables.add(copyOf(key), map.path ?? "", () => openMappedFile(procRoot, pid, map), "soon");
  }

  /** Its mappings, and tables for their files. */
  private readProcess(pid: number): void {
    const image = readProcessImage(procRoot, pid);
    if (image === undefined || image === "denied") {
      this.forget(pid);
      return;
    }
    const maps = image.maps.filter(isCode);
    for (const map of maps)
      if (map.inode !== 0n)
        this.tables.keyOrAdd(keyOfMap(map), map.path ?? "", () => openMappedFile(procRoot, pid, map), this.when);
    this.putRead(pid, maps, image.identity);
    this.options.remember(pid);
  }

  private putRead(pid: number, maps: readonly ProcMap[], identity: string): void {
    this.putProcess(pid, maps);
    // It has ended or executed a program meanwhile, of which the kernel's programs were told before.
    if (readIdentity(procRoot, pid) !== identity) this.forget(pid);
  }

  private forget(pid: number): void {
    if (readIdentity(procRoot, pid) !== undefined) {
      this.putProcess(pid, []);
      return;
    }
    this.followed.delete(pid);
    mapDelete(this.sys, this.processes.fd, processKey(pid));
  }

  private putProcess(pid: number, maps: readonly ProcMap[]): void {
    const value = zeroed(processSize);
    const view = new DataView(value.buffer);
    const kept = [...maps.filter(isTabled), ...maps.filter((map) => !isTabled(map))].slice(0, mostMappings);
    view.setBigUint64(processLayout.count, BigInt(kept.length), true);
    for (const [i, map] of kept.entries()) {
      const at = processLayout.mappings + i * mappingLayout.size;
      view.setBigUint64(at + mappingLayout.start, map.start, true);
      view.setBigUint64(at + mappingLayout.end, map.end, true);
      view.setBigUint64(at + mappingLayout.offset, map.offset, true);
      value.set(this.tables.keyOf(keyOfMap(map)), at + mappingLayout.file);
    }
    try {
      mapUpdate(this.sys, this.processes.fd, processKey(pid), value);
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== E2BIG) throw error;
      if (!this.isFull)
        this.options.warn(
          `the stacks of ${mostUnwound} processes are unwound by tables at one time, those of others go by frame pointers`,
        );
      this.isFull = true;
    }
  }
}

/** Where code is; what no file has is made at run time, and its frame pointers are followed. */
const isCode = (map: ProcMap): boolean => map.execute && map.path !== "[vsyscall]";

/** Those with tables first, if not all can be kept. */
const isTabled = (map: ProcMap): boolean => map.inode !== 0n || map.path === "[vdso]";

function keyOfMap(map: ProcMap): Uint8Array {
  if (map.path === "[vdso]") return unwindKey(vdsoInode, 0n);
  const [major = 0n, minor = 0n] = map.device.split(":").map((digits) => BigInt(`0x${digits}`));
  return unwindKey(map.inode, kernelDevice(major, minor));
}

/** MKDEV(), include/linux/kdev_t.h. */
const kernelDevice = (major: bigint, minor: bigint): bigint => (major << 20n) | minor;

function processKey(pid: number): Uint8Array {
  const key = zeroed(4);
  new DataView(key.buffer).setUint32(0, pid, true);
  return key;
}

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = zeroed(bytes.length);
  copy.set(bytes);
  return copy;
}
