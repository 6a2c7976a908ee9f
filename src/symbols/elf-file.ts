import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { FormatError } from "../base/errors.js";
import { type CodePlace, CodePlaces } from "../formats/dwarf-places.js";
import { type ByteSource, Elf, type ElfSymbol } from "../formats/elf.js";
import { type DebugPlaces, hasDebugInfo, lineInfo, separateDebugFile } from "../kernel/debug-info.js";
import { miniDebugInfo } from "../kernel/mini-debug-info.js";

/** A file as bytes that are read when they are wanted; the caller closes it. */
export interface OpenFile extends ByteSource, Disposable {
  /** Of the file itself, whatever path it was opened by. */
  readonly inode: bigint;
  /** Of its file system, as stat(2) has it. */
  readonly device: bigint;
  /** When it was made or last written, whichever is later, in nanoseconds since 1970. */
  readonly changed: bigint;
}

export function openFile(path: string): OpenFile {
  // What stands there now may be a pipe, which would wait for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size, ino, dev, mtimeNs, birthtimeNs } = fstatSync(fd, { bigint: true });
    return {
      size: Number(size),
      inode: ino,
      device: kernelDevice(dev),
      changed: later(mtimeNs, birthtimeNs),
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

/** From stat(2)'s number: new_encode_dev(), include/linux/kdev_t.h. */
const kernelDevice = (dev: bigint): bigint => {
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return (major << 20n) | minor;
};

function later(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

export type FileSymbol =
  | { readonly kind: "symbol"; readonly symbol: ElfSymbol; readonly address: bigint }
  | { readonly kind: "unknown"; readonly reason: "stripped" | "unreadable" };

/** Answers kept for a file; a profile has some thousand addresses, and each comes again and again. */
const maxAnswers = 16384;

/**
 * Symbols of one file. It is held open until its tables are read (where it has debugging information: for good), so that a
 * process that ends in between, or a container that goes away, does not take the names along.
 */
export class ElfFile implements Disposable {
  private file: OpenFile | undefined;
  private elf: Elf | undefined;
  private loaded = false;
  private readonly places: DebugPlaces;
  private readonly what: string;
  private debug: Elf | undefined;
  /** Path of the file that was split off from this one. */
  private separate: string | undefined;
  private lines: CodePlaces | "none" | undefined;
  private lineBytes = 0;
  private readonly answers = new Map<number, FileSymbol>();
  private readonly codes = new Map<number, CodePlace | undefined>();

  constructor(file: OpenFile, what: string, places: DebugPlaces) {
    this.file = file;
    this.what = what;
    this.places = places;
  }

  /** Bytes of symbol tables and debugging information in memory. */
  get memory(): number {
    let sum = this.lineBytes;
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
    this.close();
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

  /** Where in the source a byte of the file comes from; undefined if nobody tells. */
  code(fileOffset: number): CodePlace | undefined {
    if (this.codes.has(fileOffset)) return this.codes.get(fileOffset);
    const code = this.lookUpCode(fileOffset);
    if (this.codes.size >= maxAnswers) this.codes.clear();
    this.codes.set(fileOffset, code);
    return code;
  }

  private lookUpCode(fileOffset: number): CodePlace | undefined {
    const elf = this.load();
    const address = elf?.addressOf(fileOffset);
    if (elf === undefined || address === undefined) return undefined;
    try {
      this.lines ??= this.openLines(elf);
      return this.lines === "none" ? undefined : this.lines.at(address);
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      this.lines = "none";
      return undefined;
    }
  }

  private openLines(elf: Elf): CodePlaces | "none" {
    if (!hasDebugInfo(elf) && this.separate === undefined) return "none";
    const dwarf = lineInfo(elf, this.what, this.separate, (bytes) => {
      this.lineBytes += bytes;
    });
    return dwarf === undefined ? "none" : new CodePlaces(dwarf);
  }

  private load(): Elf | undefined {
    if (this.loaded || this.file === undefined) return this.elf;
    this.loaded = true;
    try {
      const elf = Elf.parse(this.file, this.what);
      // Read all now: the file is closed afterwards, unless it has more to tell.
      const full = elf.symbols("symtab");
      elf.symbols("dynsym");
      if (!hasDebugInfo(elf)) {
        // Only a build id makes sure that another file belongs to this one, whatever container it is in.
        if (elf.buildId() !== undefined) this.separate = separateDebugFile(elf, this.what, this.places);
        if (full === undefined && this.separate !== undefined) this.debug = readSymbols(this.separate);
        if (full === undefined) this.debug ??= miniDebugInfo(elf);
        this.close();
      }
      this.elf = elf;
    } catch (error) {
      this.close();
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
    }
    return this.elf;
  }

  private close(): void {
    this.file?.[Symbol.dispose]();
    this.file = undefined;
  }
}

/** Symbol tables of a file, without keeping it open. */
function readSymbols(path: string): Elf | undefined {
  try {
    using file = openFile(path);
    const elf = Elf.parse(file, path);
    elf.symbols("symtab");
    elf.symbols("dynsym");
    return elf;
  } catch (error) {
    if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
    return undefined;
  }
}

/** An error of node:fs, such as ENOENT or EACCES. */
export const isSystemError = (error: unknown): boolean =>
  error instanceof Error && "errno" in error && "code" in error && typeof error.code === "string";
