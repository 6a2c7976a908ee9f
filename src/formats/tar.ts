import { FormatError } from "../base/errors.js";

/** A file of an archive: where its bytes are. */
export interface TarEntry {
  readonly start: number;
  readonly size: number;
}

const block = 512;
const ascii = new TextDecoder("latin1");

/** Text up to its NUL, of a field of a header. */
function field(bytes: Uint8Array, start: number, size: number): string {
  let end = start;
  while (end < start + size && bytes[end] !== 0) end++;
  return ascii.decode(bytes.subarray(start, end));
}

/** Octal digits, as all numbers of a header are. */
function number(bytes: Uint8Array, start: number, size: number): number {
  const text = field(bytes, start, size).trim();
  if (text === "") return 0;
  if (!/^[0-7]+$/.test(text)) throw new FormatError(`tar: '${text}' is no octal number`);
  return Number.parseInt(text, 8);
}

/**
 * The regular files of a tar archive by their names, without a leading `./`: POSIX ustar, and the long names of GNU tar
 * and of pax. Links and directories are left out.
 */
export function parseTar(bytes: Uint8Array): ReadonlyMap<string, TarEntry> {
  const files = new Map<string, TarEntry>();
  let longName: string | undefined;
  for (let at = 0; at + block <= bytes.length; ) {
    // Two empty blocks end an archive; one is enough to know.
    if (bytes[at] === 0) break;
    const size = number(bytes, at + 124, 12);
    const start = at + block;
    if (start + size > bytes.length) throw new FormatError("tar: a file ends behind the archive");
    const type = String.fromCharCode(bytes[at + 156] ?? 0);
    if (type === "L") longName = field(bytes, start, size);
    else if (type === "x") longName = paxPath(ascii.decode(bytes.subarray(start, start + size))) ?? longName;
    else {
      if (type === "0" || type === "\0")
        files.set((longName ?? nameAt(bytes, at)).replace(/^\.\//, ""), { start, size });
      longName = undefined;
    }
    at = start + Math.ceil(size / block) * block;
  }
  return files;
}

function nameAt(bytes: Uint8Array, at: number): string {
  const prefix = field(bytes, at + 257, 5) === "ustar" ? field(bytes, at + 345, 155) : "";
  const name = field(bytes, at, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** `LENGTH path=NAME\n` among the records of a pax header. */
const paxPath = (records: string): string | undefined => /(?:^|\n)[0-9]+ path=([^\n]*)\n/.exec(records)?.[1];
