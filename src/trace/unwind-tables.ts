import { openSync } from "node:fs";
import { zeroed } from "../abi/struct.js";
import { pathOf } from "../base/byte-text.js";
import { Disposables } from "../base/disposable.js";
import { FormatError } from "../base/errors.js";
import { finished, type Steps } from "../formats/eh-frame.js";
import { Elf } from "../formats/elf.js";
import { makingUnwindRows } from "../formats/unwind-rows.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { isSystemError, type OpenFile, openFile } from "../symbols/elf-file.js";
import { readOwnVdso } from "../symbols/mapped-file.js";
import { Fd } from "../sys/fd.js";
import { mapCreate, mapLookup, mapUpdate, mapUpdateInThread } from "../sys/map-calls.js";
import { Mapping } from "../sys/mapping.js";
import { progTestRun } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { fileKey, fileQuestion, mostRows, mostTables, rowLayout, unwindMaps, vdsoInode } from "../wire/unwind.js";

/** Bytes of tables in the kernel; that of Chromium takes some 30 MiB, that of libc a fifth of a MiB. */
const mostBytes = 256 << 20;

/** Tables that are held for another key: descriptors are few. */
const mostHeld = 256;

/** Files that are held open until their tables are made. */
const mostWaiting = 256;

/** Milliseconds in which tables are made, before others have their turn. */
const sliceMilliseconds = 5;

interface Waiting {
  readonly key: Uint8Array;
  readonly what: string;
  readonly file: OpenFile | undefined;
}

interface Held {
  readonly table: Fd;
  /** What programs find it by. */
  readonly key: Uint8Array;
}

const noRows = new Uint32Array(0);

/** The tables of files in the kernel, by the key that the kernel knows a file by. */
export class UnwindTables implements Disposable {
  private readonly sys: Sys;
  private readonly loaded: LoadedObject;
  private readonly tables: LoadedMap;
  private readonly warn: (message: string) => void;
  private readonly owned = new Disposables();
  /** Keys that have a table. */
  private readonly done = new Set<string>();
  /**
   * Tables by the file as stat(2) identifies it, which in an overlay or on Btrfs is not the kernel's key: one of these may
   * be made before the key is known, and be wanted by two.
   */
  private readonly held = new Map<string, Held>();
  /** Of keys whose file has a table under another one: that one. */
  private readonly others = new Map<string, Uint8Array>();
  /** Files whose tables are made soon. */
  private readonly waiting = new Map<string, Waiting>();
  private working: Promise<void> | undefined;
  /** Tables that threads give to programs. */
  private readonly entering = new Set<Promise<void>>();
  private isOver = false;
  private bytes = 0;
  private isFull = false;

  constructor(sys: Sys, loaded: LoadedObject, warn: (message: string) => void) {
    this.sys = sys;
    this.loaded = loaded;
    this.tables = loaded.map(unwindMaps.tables);
    this.warn = warn;
  }

  /** The table of what all processes have mapped. */
  addVdso(): void {
    const vdso = readOwnVdso("/proc");
    if (vdso === undefined) return;
    const rows = () => this.rowsOf("[vdso]", () => Elf.parse(vdso, "[vdso]"));
    finished(this.put(unwindKey(vdsoInode, 0n), undefined, rows));
  }

  /** Resolves when programs have all tables that were made, and nothing of this is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.entering);
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    for (const { file } of this.waiting.values()) file?.[Symbol.dispose]();
    this.waiting.clear();
    this.held.clear();
    this.owned[Symbol.dispose]();
  }

  /** A key under which the file of `key` has a table already, if that is known; else `key`. */
  keyOf(key: Uint8Array): Uint8Array {
    return this.others.get(nameOf(key)) ?? key;
  }

  /** The same, where the file is opened to find out; and a table is made if there is none. */
  keyOrAdd(key: Uint8Array, what: string, open: () => OpenFile | undefined, when: "now" | "soon"): Uint8Array {
    const name = nameOf(key);
    const other = this.others.get(name);
    if (other !== undefined || this.done.has(name) || this.waiting.has(name)) return other ?? key;
    const file = open();
    const held = file === undefined ? undefined : this.held.get(identityOf(file));
    if (held === undefined) {
      this.addFile(key, what, file, when);
      return key;
    }
    file?.[Symbol.dispose]();
    this.others.set(name, held.key);
    return held.key;
  }

  /**
   * Makes the table of a file if there is none yet, now or soon, while the event loop does other things. One that cannot be read
   * has no rows, so that nobody asks again.
   */
  add(key: Uint8Array, what: string, open: () => OpenFile | undefined, when: "now" | "soon"): void {
    const name = nameOf(key);
    if (!this.done.has(name) && !(when === "soon" && this.waiting.has(name))) this.addFile(key, what, open(), when);
  }

  /** One that waits is open: its process may end. */
  private addFile(key: Uint8Array, what: string, file: OpenFile | undefined, when: "now" | "soon"): void {
    if (when === "now") {
      using own = file;
      finished(this.putting(key, what, own));
      return;
    }
    if (this.waiting.size < mostWaiting) this.waiting.set(nameOf(key), { key, what, file });
    else file?.[Symbol.dispose]();
    this.working ??= this.work();
  }

  private *putting(key: Uint8Array, what: string, file: OpenFile | undefined): Steps<void> {
    const identity = file === undefined ? undefined : identityOf(file);
    yield* this.put(key, identity, () =>
      file === undefined ? nothing() : this.rowsOf(what, () => Elf.parse(file, what)),
    );
  }

  /** Makes what waits, a few milliseconds at a time. */
  private async work(): Promise<void> {
    for (const [name, { key, what, file }] of this.waiting) {
      try {
        const steps = this.putting(key, what, file);
        for (
          let until = 0, step: IteratorResult<undefined, void> = { done: false, value: undefined };
          step.done !== true;
        ) {
          if (performance.now() >= until) {
            await new Promise((resolve) => setImmediate(resolve));
            until = performance.now() + sliceMilliseconds;
          }
          if (this.isOver) return;
          step = steps.next();
        }
      } finally {
        if (this.waiting.delete(name)) file?.[Symbol.dispose]();
      }
    }
    this.working = undefined;
  }

  /** The same of a file that nobody has mapped yet: a piece of it is mapped here, and the kernel asked. */
  expect(path: string): void {
    using fd = Fd.own(this.sys, openSync(pathOf(path), "r"), path);
    using mapping = new Mapping(this.sys, fd, 0, this.sys.pageSize, "read");
    const { map, program } = fileQuestion;
    const { fd: question } = this.loaded.map(map);
    const value = zeroed(fileQuestion.size);
    new DataView(value.buffer).setBigUint64(fileQuestion.address, BigInt(mapping.address), true);
    mapUpdate(this.sys, question, zeroed(4), value);
    progTestRun(this.sys, this.loaded.program(program, 0n));
    mapLookup(this.sys, question, zeroed(4), value);
    const key = zeroed(fileKey.size);
    key.set(value.subarray(fileQuestion.file, fileQuestion.file + fileKey.size));
    this.add(key, path, () => openFile(path), "now");
  }

  private *put(key: Uint8Array, identity: string | undefined, read: () => Steps<Uint32Array>): Steps<void> {
    if (this.done.size === mostTables) {
      this.tellFull(`of ${mostTables} files`);
      return;
    }
    const before = identity === undefined ? undefined : this.held.get(identity);
    const rows = before === undefined ? yield* read() : noRows;
    // Whoever wanted it now did not wait.
    if (this.done.has(nameOf(key))) return;
    this.done.add(nameOf(key));
    const known = before ?? (identity === undefined ? undefined : this.held.get(identity));
    const table = known?.table ?? this.make(rows);
    const isHeld = known !== undefined || (identity !== undefined && this.held.size < mostHeld);
    if (known === undefined && identity !== undefined && isHeld)
      this.held.set(identity, { table: this.owned.use(table), key });
    const entering = this.enter(key, table)
      .then(() => void this.entering.delete(entering))
      .finally(() => {
        if (!isHeld) table[Symbol.dispose]();
      });
    // What went wrong settled() tells.
    entering.catch(() => undefined);
    this.entering.add(entering);
  }

  /** Programs find it at once; the kernel then waits for those that run, some ten milliseconds, which is left to a thread. */
  private async enter(key: Uint8Array, table: Fd): Promise<void> {
    const value = zeroed(4);
    new DataView(value.buffer).setUint32(0, table.raw, true);
    await mapUpdateInThread(this.sys, this.tables.fd, key, value);
  }

  private *rowsOf(what: string, open: () => Elf): Steps<Uint32Array> {
    let rows: Uint32Array;
    try {
      rows = yield* makingUnwindRows(open());
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return noRows;
    }
    if (rows.length / 2 <= mostRows && this.bytes + rows.byteLength <= mostBytes) {
      this.bytes += rows.byteLength;
      return rows;
    }
    this.tellFull(`of ${mostBytes >> 20} MiB, and that of ${what} does not fit any more`);
    return noRows;
  }

  private tellFull(what: string): void {
    if (!this.isFull) this.warn(`unwinding tables are kept ${what}: stacks through what is new are cut`);
    this.isFull = true;
  }

  private make(rows: Uint32Array): Fd {
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

function* nothing(): Steps<Uint32Array> {
  yield;
  return noRows;
}

const identityOf = ({ device, inode }: OpenFile): string => `${device} ${inode}`;

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString("hex");

/** {@link fileKey}. */
export function unwindKey(inode: bigint, device: bigint): Uint8Array {
  const key = zeroed(fileKey.size);
  const view = new DataView(key.buffer);
  view.setBigUint64(fileKey.inode, inode, true);
  view.setBigUint64(fileKey.device, device, true);
  return key;
}
