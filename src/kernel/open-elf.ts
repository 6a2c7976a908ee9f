import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from "node:fs";
import type { Arch } from "../abi/registers.js";
import { pathOf } from "../base/byte-text.js";
import { FormatError } from "../base/errors.js";
import { checkPiece } from "../formats/byte-source.js";
import { type ByteSource, Elf, EM_386, EM_AARCH64, EM_X86_64 } from "../formats/elf.js";
import { findInZip } from "../formats/zip.js";

/** Opens a program or library for the time of `use`; `archive.zip!/path` is one inside of an archive. */
export function withElf<T>(path: string, use: (elf: Elf) => T): T {
  return withPart(path, ({ source }) => use(Elf.parse(source, path)));
}

/** The file that the kernel knows, and where in it what `path` names begins: 0, unless that is inside of an archive. */
export const fileOf = (path: string): { readonly path: string; readonly start: number } =>
  insideArchive(path) === undefined ? { path, start: 0 } : withPart(path, ({ file, start }) => ({ path: file, start }));

/** What programs of a machine are for. */
const machines: Readonly<Record<Arch, readonly number[]>> = { x86_64: [EM_X86_64, EM_386], arm64: [EM_AARCH64] };

/** The file, if this machine can run it; otherwise FormatError. */
export function requireMachine(elf: Elf, arch: Arch): Elf {
  if (machines[arch].includes(elf.machine)) return elf;
  throw new FormatError(`${elf.what}: is for another machine (e_machine ${elf.machine}) than this one, ${arch}`);
}

interface Part {
  readonly file: string;
  readonly start: number;
  readonly source: ByteSource;
  /** Which file it is, and when it was written. */
  readonly state: string;
}

function withPart<T>(path: string, use: (part: Part) => T): T {
  const inside = insideArchive(path);
  const file = inside?.archive ?? path;
  const fd = openSync(pathOf(file), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { dev, ino, size: bytes, mtimeNs } = fstatSync(fd, { bigint: true });
    const state = `${dev} ${ino} ${bytes} ${mtimeNs}`;
    const source = fileSource(fd, Number(bytes), file);
    if (inside === undefined) return use({ file, start: 0, source, state });
    const { offset, size } = findInZip(source, inside.name, file);
    const part: ByteSource = {
      size,
      read(at, length) {
        checkPiece(at, length, size, path);
        return source.read(offset + at, length);
      },
    };
    return use({ file, start: offset, source: part, state });
  } finally {
    closeSync(fd);
  }
}

/** As Android's linker and libbpf write it; a path with `!/` in it that is there is meant itself. */
export function insideArchive(path: string): { readonly archive: string; readonly name: string } | undefined {
  const at = path.indexOf("!/");
  if (at < 0 || existsSync(pathOf(path))) return undefined;
  return { archive: path.slice(0, at), name: path.slice(at + 2) };
}

/**
 * A file that may be read as long as it stays the same, without being held open: of one program thousands may be in use. What
 * becomes of it meanwhile is a FormatError.
 */
export function openedForEachRead(path: string): ByteSource & Disposable {
  const { size, start, state } = withPart(path, ({ start, source, state }) => ({ size: source.size, start, state }));
  const file = insideArchive(path)?.archive ?? path;
  return {
    size,
    read(offset, length) {
      checkPiece(offset, length, size, path);
      try {
        return withPart(file, (now) => {
          if (now.state === state) return now.source.read(start + offset, length);
          throw new FormatError(`${path}: was replaced or written while it was read`);
        });
      } catch (error) {
        if (!isSystemError(error)) throw error;
        throw new FormatError(`${path}: cannot be read any more: ${(error as Error).message}`);
      }
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** An error of node:fs, such as ENOENT or EACCES. */
export const isSystemError = (error: unknown): boolean =>
  error instanceof Error && "errno" in error && "code" in error && typeof error.code === "string";

function fileSource(fd: number, size: number, path: string): ByteSource {
  return {
    size,
    read(offset, length) {
      checkPiece(offset, length, size, path);
      const bytes = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const count = readSync(fd, bytes, done, length - done, offset + done);
        if (count === 0) throw new FormatError(`${path}: it became shorter while it was read`);
        done += count;
      }
      return bytes;
    },
  };
}
