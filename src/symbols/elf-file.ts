import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "../base/errors.js";
import { type ByteSource, Elf, type ElfSymbol } from "../formats/elf.js";

/** A file as bytes that are read when they are wanted; the caller closes it. */
export interface OpenFile extends ByteSource, Disposable {
  /** Of the file itself, whatever path it was opened by. */
  readonly inode: bigint;
}

export function openFile(path: string): OpenFile {
  const fd = openSync(path, "r");
  try {
    const { size, ino } = fstatSync(fd, { bigint: true });
    return {
      size: Number(size),
      inode: ino,
      read(offset, length) {
        if (!(offset >= 0 && length >= 0 && offset + length <= Number(size))) {
          throw new FormatError(`${path}: ${length} bytes at offset ${offset} lie outside its ${size} bytes`);
        }
        const bytes = Buffer.allocUnsafeSlow(length);
        for (let done = 0; done < length; ) {
          const got = readSync(fd, bytes, done, length - done, offset + done);
          if (got === 0) throw new FormatError(`${path}: ends at ${offset + done}, although it has ${size} bytes`);
          done += got;
        }
        return bytes;
      },
      [Symbol.dispose]: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export type FileSymbol =
  | { readonly kind: "symbol"; readonly symbol: ElfSymbol; readonly address: bigint }
  | { readonly kind: "unknown"; readonly reason: "stripped" | "unreadable" };

/** Answers kept for a file; a profile has some thousand addresses, and each comes again and again. */
const maxAnswers = 16384;

/**
 * Symbols of one file. It is held open until its tables are read, so that a process that ends in between, or a container
 * that goes away, does not take the names along.
 */
export class ElfFile implements Disposable {
  private file: OpenFile | undefined;
  private elf: Elf | undefined;
  private readonly debugRoot: string;
  private readonly what: string;
  private debug: Elf | undefined;
  private readonly answers = new Map<number, FileSymbol>();

  constructor(file: OpenFile, what: string, debugRoot = "/usr/lib/debug") {
    this.file = file;
    this.what = what;
    this.debugRoot = debugRoot;
  }

  /** Bytes of symbol tables in memory. */
  get memory(): number {
    let sum = 0;
    for (const elf of [this.elf, this.debug]) {
      sum += (elf?.symbols("symtab")?.memory ?? 0) + (elf?.symbols("dynsym")?.memory ?? 0);
    }
    return sum;
  }

  /** The function that a byte of the file belongs to. */
  at(fileOffset: number): FileSymbol {
    const known = this.answers.get(fileOffset);
    if (known !== undefined) return known;
    const answer = this.lookUp(fileOffset);
    if (this.answers.size >= maxAnswers) this.answers.clear();
    this.answers.set(fileOffset, answer);
    return answer;
  }

  /** Where in the file a function or variable begins. */
  offsetOf(name: string): number | undefined {
    const elf = this.load();
    if (elf === undefined) return undefined;
    const address =
      elf.function(name)?.address ??
      this.debug?.symbols("symtab")?.find(name)?.address ??
      elf.variable(name)?.address ??
      this.debug?.variable(name)?.address;
    return address === undefined ? undefined : elf.fileOffset(address);
  }

  [Symbol.dispose](): void {
    this.file?.[Symbol.dispose]();
    this.file = undefined;
  }

  private lookUp(fileOffset: number): FileSymbol {
    const elf = this.load();
    if (elf === undefined) return { kind: "unknown", reason: "unreadable" };
    const address = elf.addressOf(fileOffset);
    if (address === undefined) return { kind: "unknown", reason: "stripped" };
    for (const table of [elf.symbols("symtab"), this.debug?.symbols("symtab"), elf.symbols("dynsym")]) {
      const symbol = table?.at(address);
      if (symbol !== undefined) return { kind: "symbol", symbol, address };
    }
    return { kind: "unknown", reason: "stripped" };
  }

  private load(): Elf | undefined {
    if (this.elf !== undefined || this.file === undefined) return this.elf;
    using file = this.file;
    this.file = undefined;
    try {
      const elf = Elf.parse(file, this.what);
      // Read all now: the file is closed afterwards.
      const full = elf.symbols("symtab");
      elf.symbols("dynsym");
      if (full === undefined) this.debug = this.readDebugFile(elf);
      this.elf = elf;
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
    }
    return this.elf;
  }

  /** Where distributions put what they strip: by build id (GDB manual, Separate Debug Files). */
  private readDebugFile(elf: Elf): Elf | undefined {
    const id = elf.buildId();
    if (id === undefined || id.length < 4) return undefined;
    const path = join(this.debugRoot, ".build-id", id.slice(0, 2), `${id.slice(2)}.debug`);
    if (!existsSync(path)) return undefined;
    try {
      using file = openFile(path);
      const debug = Elf.parse(file, path);
      debug.symbols("symtab");
      debug.symbols("dynsym");
      return debug;
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return undefined;
    }
  }
}

/** An error of node:fs, such as ENOENT or EACCES. */
export const isSystemError = (error: unknown): boolean =>
  error instanceof Error && "errno" in error && "code" in error && typeof error.code === "string";
