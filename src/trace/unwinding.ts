import { zeroed } from "../abi/struct.js";
import { FormatError } from "../base/errors.js";
import { Elf } from "../formats/elf.js";
import type { ProcMap } from "../formats/proc-maps.js";
import { unwindRows } from "../formats/unwind-rows.js";
import { filesOfProgram } from "../kernel/process-files.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { readMap } from "../load/map-reader.js";
import { isSystemError, type OpenFile, openFile } from "../symbols/elf-file.js";
import { openMappedFile, readOwnVdso } from "../symbols/mapped-file.js";
import { readIdentity, readProcessImage } from "../symbols/process-maps.js";
import type { Fd } from "../sys/fd.js";
import { mapCreate, mapDelete, mapGetNextKey, mapUpdate } from "../sys/map-calls.js";
import { Mapping } from "../sys/mapping.js";
import type { Sys } from "../sys/sys.js";
import {
  fileKey,
  mappingLayout,
  mostMappings,
  mostRows,
  mostUnwound,
  processLayout,
  processSize,
  rowLayout,
  unwindMaps,
  vdsoInode,
  wantedLayout,
} from "../wire/unwind.js";

const procRoot = "/proc";

/** Bytes of tables in the kernel; a table of Chromium takes some 30 MiB, one of libc a fifth of a MiB. */
const mostBytes = 256 << 20;

/** How often programs' wishes are read, in milliseconds: at first, and at most. */
const firstLook = 5;
const lastLook = 100;

/** Looks between those at the mappings of the processes. */
const looksPerRead = 10;

/** Processes that are met for the first time at one look. */
const mostMet = 32;

export interface UnwindingOptions {
  readonly warn: (message: string) => void;
  /** Told of each process that is looked at, which may end soon. */
  readonly remember: (pid: number) => void;
}

/** Keeps the tables that programs unwind stacks by: of the files of processes, and of those that programs ask for. */
export class Unwinding implements Disposable {
  private readonly sys: Sys;
  private readonly processes: LoadedMap;
  private readonly tables: LoadedMap;
  private readonly wanted: LoadedMap;
  private readonly options: UnwindingOptions;
  /** Keys of the files that have a table. */
  private readonly done = new Set<string>();
  /** Whose mappings are read again and again. */
  private readonly followed = new Set<number>();
  /** Others whose mappings have been read. */
  private readonly met = new Set<number>();
  private bytes = 0;
  private isFull = false;
  private timer: NodeJS.Timeout | undefined;
  private looks = 0;

  constructor(sys: Sys, loaded: LoadedObject, options: UnwindingOptions) {
    this.sys = sys;
    this.processes = loaded.map(unwindMaps.processes);
    this.tables = loaded.map(unwindMaps.tables);
    this.wanted = loaded.map(unwindMaps.wanted);
    this.options = options;
    const vdso = readOwnVdso(procRoot);
    if (vdso !== undefined) this.addTable(keyOf(vdsoInode, 0n), "[vdso]", () => unwindRows(Elf.parse(vdso, "[vdso]")));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
  }

  /** Tables for all that a process has mapped now. */
  follow(pid: number): void {
    this.followed.add(pid);
    this.readProcess(pid);
  }

  /** The same of a process that is about to execute a program: for what that will map, as far as its file says. */
  expect(pid: number, program: string): void {
    this.putProcess(pid, []);
    this.followed.add(pid);
    for (const { path } of [{ path: program }, ...filesOfProgram(program)]) {
      try {
        using file = openFile(path);
        this.addTable(keyOf(file.inode, file.device), path, () => unwindRows(Elf.parse(file, path)));
      } catch (error) {
        // What the process maps in the end tells; such a file has its table a moment later.
        if (!isSystemError(error)) throw error;
      }
    }
  }

  /** From now on looks at what programs ask for. */
  start(): void {
    let wait = firstLook;
    const look = (): void => {
      wait = this.look() ? firstLook : Math.min(2 * wait, lastLook);
      this.timer = setTimeout(look, wait);
    };
    this.timer = setTimeout(look, wait);
  }

  /** Makes the tables that programs want, and looks at processes that they have met; true if there were any. */
  private look(): boolean {
    let some = false;
    for (const { key, value } of [...readMap(this.sys, this.wanted)]) {
      some = true;
      this.addWanted(key, new DataView(value.buffer, value.byteOffset));
      mapDelete(this.sys, this.wanted.fd, key);
    }
    if (some || ++this.looks % looksPerRead === 0) for (const pid of this.followed) this.readProcess(pid);
    return this.meet() || some;
  }

  /** Reads each process once that programs have added: a child, or one that nobody has named. */
  private meet(): boolean {
    const here = new Set(this.processIds());
    for (const pid of this.met) if (!here.has(pid)) this.met.delete(pid);
    let left = mostMet;
    for (const pid of here) {
      if (this.met.has(pid) || this.followed.has(pid)) continue;
      if (left-- === 0) break;
      this.met.add(pid);
      this.readProcess(pid);
    }
    return left < mostMet;
  }

  private *processIds(): Generator<number> {
    const next = zeroed(4);
    let key: Uint8Array | undefined;
    for (let i = 0; i < mostUnwound && mapGetNextKey(this.sys, this.processes.fd, key, next); i++) {
      key = copyOf(next);
      yield new DataView(next.buffer).getUint32(0, true);
    }
  }

  private addWanted(key: Uint8Array, view: DataView): void {
    const pid = Number(view.getBigUint64(wantedLayout.process, true));
    const start = view.getBigUint64(wantedLayout.start, true);
    const map = readProcessImage(procRoot, pid)?.maps.find((each) => each.start === start);
    // It has ended, or has unmapped it: another may still want the file.
    if (map === undefined) return;
    this.addFile(copyOf(key), map.path ?? "", () => openMappedFile(procRoot, pid, map));
  }

  /** Its mappings, and tables for their files. */
  private readProcess(pid: number): void {
    const image = readProcessImage(procRoot, pid);
    if (image === undefined) {
      this.forget(pid);
      return;
    }
    const maps = image.maps.filter(isCode);
    for (const map of maps)
      if (map.inode !== 0n) this.addFile(keyOfMap(map), map.path ?? "", () => openMappedFile(procRoot, pid, map));
    this.putProcess(pid, maps);
    this.options.remember(pid);
    // It has ended or executed a program meanwhile, of which the kernel's programs were told before.
    if (readIdentity(procRoot, pid) !== image.identity) this.forget(pid);
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
    const kept = maps.slice(0, mostMappings);
    view.setBigUint64(processLayout.count, BigInt(kept.length), true);
    for (const [i, map] of kept.entries()) {
      const at = processLayout.mappings + i * mappingLayout.size;
      view.setBigUint64(at + mappingLayout.start, map.start, true);
      view.setBigUint64(at + mappingLayout.end, map.end, true);
      view.setBigUint64(at + mappingLayout.offset, map.offset, true);
      value.set(keyOfMap(map), at + mappingLayout.file);
    }
    mapUpdate(this.sys, this.processes.fd, processKey(pid), value);
  }

  private addFile(key: Uint8Array, what: string, open: () => OpenFile | undefined): void {
    this.addTable(key, what, () => {
      using file = open();
      return file === undefined ? noRows : unwindRows(Elf.parse(file, what));
    });
  }

  /** A file that cannot be read has a table without rows, so that nobody asks again. */
  private addTable(key: Uint8Array, what: string, read: () => Uint32Array): void {
    const name = Buffer.from(key).toString("hex");
    if (this.done.has(name)) return;
    this.done.add(name);
    const rows = this.readRows(what, read);
    using table = this.makeTable(rows);
    const value = zeroed(4);
    new DataView(value.buffer).setUint32(0, table.raw, true);
    mapUpdate(this.sys, this.tables.fd, key, value);
  }

  private readRows(what: string, read: () => Uint32Array): Uint32Array {
    if (this.isFull) return noRows;
    let rows: Uint32Array;
    try {
      rows = read();
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return noRows;
    }
    if (this.bytes + rows.byteLength > mostBytes || rows.length / 2 > mostRows) {
      this.isFull = true;
      this.options.warn(
        `dw_ustack keeps ${mostBytes >> 20} MiB of unwinding tables, and that of ${what} does not fit any more: stacks through it and other new files are cut`,
      );
      return noRows;
    }
    this.bytes += rows.byteLength;
    return rows;
  }

  private makeTable(rows: Uint32Array): Fd {
    const { inner } = this.tables.spec;
    if (inner === undefined) throw new Error("internal: the map of tables has no elements");
    const maxEntries = rows.length / 2 + 1;
    const table = mapCreate(this.sys, { ...inner, name: "unwind_rows", maxEntries });
    const { pageSize } = this.sys;
    const size = Math.ceil((maxEntries * rowLayout.size) / pageSize) * pageSize;
    using mapping = new Mapping(this.sys, table, 0, size, "write");
    const words = new Uint32Array(mapping.buffer);
    words[0] = rows.length / 2;
    words.set(rows, 2);
    return table;
  }
}

const noRows = new Uint32Array(0);

const isCode = (map: ProcMap): boolean => map.execute && (map.inode !== 0n || map.path === "[vdso]");

function keyOfMap(map: ProcMap): Uint8Array {
  if (map.path === "[vdso]") return keyOf(vdsoInode, 0n);
  const [major = 0n, minor = 0n] = map.device.split(":").map((digits) => BigInt(`0x${digits}`));
  return keyOf(map.inode, kernelDevice(major, minor));
}

/** MKDEV(), include/linux/kdev_t.h. */
const kernelDevice = (major: bigint, minor: bigint): bigint => (major << 20n) | minor;

function keyOf(inode: bigint, device: bigint): Uint8Array {
  const key = zeroed(fileKey.size);
  const view = new DataView(key.buffer);
  view.setBigUint64(fileKey.inode, inode, true);
  view.setBigUint64(fileKey.device, device, true);
  return key;
}

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
