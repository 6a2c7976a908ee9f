import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { FormatError } from "../base/errors.js";
import { type ByteSource, Elf } from "../formats/elf.js";

/** Opens a file for the time of `use`. */
export function withElf<T>(path: string, use: (elf: Elf) => T): T {
  const fd = openSync(path, "r");
  try {
    return use(Elf.parse(fileSource(fd, path), path));
  } finally {
    closeSync(fd);
  }
}

function fileSource(fd: number, path: string): ByteSource {
  const { size } = fstatSync(fd);
  return {
    size,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw new FormatError(`${path}: ${length} bytes at offset ${offset} lie outside its ${size} bytes`);
      }
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
