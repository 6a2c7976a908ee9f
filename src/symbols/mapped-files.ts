import { FormatError } from "../base/errors.js";
import { bytesSource } from "../formats/byte-source.js";
import { endsWithCall, longestCall } from "../formats/call-sites.js";
import { Elf } from "../formats/elf.js";
import { PageCache } from "../formats/page-cache.js";
import { SectionPages } from "../formats/section-bytes.js";
import type { DebugPlaces } from "../kernel/separate-files.js";
import type { Mapping } from "./address-space.js";
import { ElfFile, type FileKeeper, isSystemError, type OpenFile, openFile } from "./elf-file.js";
import { readMapping, readOwnVdso } from "./mapped-file.js";

/** Files held open. */
const maxFiles = 512;
/** Names that files go by; each is found again when it is wanted. */
const maxNames = 8192;
/** How long a file that could not be opened is not tried again. */
const retryMilliseconds = 100;

export interface MappedFilesOptions {
  readonly procRoot: string;
  readonly debug: DebugPlaces;
  /** Bytes of symbol tables and debugging information to keep. */
  readonly maxMemory: number;
  readonly now: () => number;
  /** Nanoseconds between the monotonic clock and 1970. */
  readonly wallOffset: () => bigint;
  /** The linker's name of a function as people write it. */
  readonly shown: (symbol: string) => string;
}

/**
 * The files that processes run. Processes in containers have their own paths; files are opened through
 * `/proc/PID/map_files`, which leads to the very file that is mapped, even if it has been deleted or replaced since, or
 * through `/proc/PID/root`, its own or that of the process it was forked off. A name is never taken from another file:
 * it must have the build id that the kernel told, or the inode, and be no younger than the mapping.
 */
export class MappedFiles implements Disposable, FileKeeper {
  private readonly options: MappedFilesOptions;
  /** By build id, or by device, inode and path; a number is when it could not be opened. */
  private readonly files = new Map<string, ElfFile | number>();
  /** Build ids of the files that are known by device, inode and path. */
  private readonly names = new Map<string, string>();

  private readonly calls = new Map<string, boolean | undefined>();
  readonly pages = new PageCache();
  readonly sections = new SectionPages();
  /** Of tables and debugging information of all files. */
  private memory = 0;
  private uses = 0;

  constructor(options: MappedFilesOptions) {
    this.options = options;
  }

  /** The file of a mapping; `pids` are the process and those that may have the same root directory. */
  file(pids: readonly number[], mapping: Mapping): ElfFile | undefined {
    const name = nameOf(mapping);
    const key = this.names.get(name) ?? name;
    const known = this.files.get(key);
    if (typeof known === "object") {
      this.use(known);
      return known;
    }
    if (known !== undefined && this.options.now() - known < retryMilliseconds) return undefined;
    this.files.delete(key);
    const opened = mapping.path === "[vdso]" ? this.openVdso(pids, mapping) : this.open(pids, mapping);
    this.makeRoom();
    if (opened === undefined) {
      this.files.set(name, this.options.now());
      return undefined;
    }
    return this.keep(name, opened, mapping);
  }

  /** Whether a call stands in front of a place of a file; undefined where that cannot be read any more. */
  isCalledFrom(pids: readonly number[], mapping: Mapping, fileOffset: number): boolean | undefined {
    const place = `${nameOf(mapping)} ${fileOffset}`;
    if (this.calls.has(place)) return this.calls.get(place);
    using file = this.open(pids, mapping);
    const found = file === undefined ? undefined : readCall(file, fileOffset);
    if (this.calls.size >= maxNames) this.calls.clear();
    this.calls.set(place, found);
    return found;
  }

  /** The same file may be known already, by another name. */
  private keep(name: string, opened: OpenFile, mapping: Mapping): ElfFile {
    const id = mapping.path === "[vdso]" ? undefined : (mapping.buildId ?? readBuildId(opened));
    const key = id === undefined ? name : buildKey(id);
    const same = this.files.get(key);
    if (key !== name) {
      if (this.names.size >= maxNames) this.names.clear();
      this.names.set(name, key);
    }
    if (typeof same === "object") {
      opened[Symbol.dispose]();
      this.use(same);
      return same;
    }
    const file = new ElfFile(opened, mapping.path ?? "", this.options.debug, this);
    this.use(file);
    this.files.set(key, file);
    return file;
  }

  shown(symbol: string): string {
    return this.options.shown(symbol);
  }

  /** Says that a file is wanted now. */
  use(file: ElfFile): void {
    file.used = ++this.uses;
  }

  /** A file has read some more: those that have not been used for the longest time forget what they have read. */
  grew(bytes: number): void {
    this.memory += bytes;
    if (this.memory <= this.options.maxMemory) return;
    for (const file of this.leastUsed()) {
      if (this.memory <= this.options.maxMemory) break;
      // What is being read now is wanted.
      if (file.memory === 0 || file.used === this.uses) continue;
      this.memory -= file.memory;
      file.drop();
    }
  }

  /** Texts of names are not kept any more. */
  forgetNames(): void {
    for (const file of this.files.values()) if (typeof file === "object") file.forgetNames();
  }

  private leastUsed(): readonly ElfFile[] {
    return [...this.files.values()].filter((file) => typeof file === "object").sort((a, b) => a.used - b.used);
  }

  /** Before another file is opened. Some at once, as looking for them takes its time. */
  private makeRoom(): void {
    if (this.files.size < maxFiles) return;
    for (const [key, file] of this.files) if (typeof file === "number") this.files.delete(key);
    if (this.files.size < maxFiles) return;
    const last = new Set<ElfFile | number>(this.leastUsed().slice(0, maxFiles / 8));
    for (const [key, file] of this.files) {
      if (!last.has(file) || typeof file !== "object") continue;
      this.memory -= file.memory;
      file[Symbol.dispose]();
      this.files.delete(key);
    }
  }

  private open(pids: readonly number[], mapping: Mapping): OpenFile | undefined {
    const { procRoot } = this.options;
    const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
    const { path } = mapping;
    const candidates = pids.slice(0, 1).map((pid) => ({ file: `${procRoot}/${pid}/map_files/${range}`, direct: true }));
    if (path !== undefined) {
      for (const pid of pids) candidates.push({ file: `${procRoot}/${pid}/root${path}`, direct: false });
      // The process has ended: only a file of our own mount namespace can still be found.
      candidates.push({ file: path, direct: false });
    }
    for (const { file, direct } of candidates) {
      try {
        const opened = openFile(file);
        if (this.isMapped(opened, mapping, direct)) return opened;
        opened[Symbol.dispose]();
      } catch (error) {
        if (!isSystemError(error)) throw error;
      }
    }
    return undefined;
  }

  /** Whether it is the file of the mapping. (Its device is no help: overlayfs and Btrfs report another.) */
  private isMapped(file: OpenFile, mapping: Mapping, direct: boolean): boolean {
    const { buildId, inode, time } = mapping;
    if (buildId !== undefined) return readBuildId(file) === buildId;
    // What /proc/PID/maps has just told is there, whatever inode a stacked file system makes up.
    if (direct && time === undefined) return true;
    if (file.inode !== inode) return false;
    // Inodes are used again, and files are written again, but then they are younger.
    return time === undefined || file.changed <= time + this.options.wallOffset();
  }

  /** The vDSO is no file; its bytes are in the memory of each process, ours included. */
  private openVdso(pids: readonly number[], mapping: Mapping): OpenFile | undefined {
    const [pid] = pids;
    const bytes = (pid === undefined ? undefined : this.readVdso(pid, mapping)) ?? readOwnVdso(this.options.procRoot);
    if (bytes === undefined) return undefined;
    return { ...bytesSource(bytes, "vdso"), inode: 0n, device: 0n, changed: 0n, [Symbol.dispose]: () => undefined };
  }

  /** The process may have ended, or run another program by now. */
  private readVdso(pid: number, mapping: Mapping): Uint8Array | undefined {
    const bytes = readMapping(this.options.procRoot, pid, mapping);
    return bytes !== undefined && bytes.length > 4 && bytes[0] === 0x7f && bytes[1] === 0x45 ? bytes : undefined;
  }

  [Symbol.dispose](): void {
    for (const file of this.files.values()) if (typeof file !== "number") file[Symbol.dispose]();
    this.files.clear();
    this.names.clear();
  }
}

const buildKey = (id: string): string => `build ${id}`;

function nameOf({ path, buildId, device, inode, generation }: Mapping): string {
  if (path === "[vdso]") return path;
  return buildId === undefined ? `${device} ${inode} ${generation ?? ""} ${path}` : buildKey(buildId);
}

function readBuildId(file: OpenFile): string | undefined {
  try {
    return Elf.parse(file, "file").buildId();
  } catch (error) {
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
}

function readCall(file: OpenFile, fileOffset: number): boolean | undefined {
  try {
    const { machine } = Elf.parse(file, "file");
    const length = Math.min(longestCall, fileOffset);
    return endsWithCall(file.read(fileOffset - length, length), machine);
  } catch (error) {
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
}
