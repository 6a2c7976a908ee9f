import { type Stats, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathOf } from "../base/byte-text.js";
import type { ImportedFile, ImportReader } from "../language/import-reader.js";
import { currentFolder, namesIn, readText, realPath } from "../sys/byte-files.js";

/** A script larger than this is none. */
const maxSize = 16 << 20;
/** inode(7): others may write. */
const worldWritable = 0o002;

/**
 * Reads imports from files, relative to the directory of the script that has them (the working directory, for one of the
 * command line). What lies in a directory that anybody may write to is not read: it would run with the tracer's rights.
 */
export const importFiles: ImportReader = {
  read(path, from) {
    const wanted = resolve(currentFolder(), dirname(from), path);
    const stats = statOf(wanted);
    if (stats === undefined) return { problem: "there is no such file or directory", hint: `looked for ${wanted}` };
    const real = realPath(wanted);
    const folder = stats.isDirectory() ? real : dirname(real);
    if (((statOf(folder)?.mode ?? 0) & worldWritable) !== 0) {
      return {
        problem: `everybody may write to the directory ${folder}`,
        hint: "what is imported runs with your rights: chmod o-w the directory, or move the file",
      };
    }
    if (!stats.isDirectory()) return readOne(real) ?? unknownKind;
    const files: ImportedFile[] = [];
    for (const name of namesIn(real).sort()) {
      const file = join(real, name);
      if (statOf(file)?.isFile() !== true) continue;
      const found = readOne(file);
      if (found === undefined) continue;
      if ("problem" in found) return found;
      files.push(...found);
    }
    return files;
  },
};

const unknownKind = {
  problem: "unknown import type",
  hint: "scripts (.bt), C headers (.h) and directories can be imported",
};

type Answer = ReturnType<ImportReader["read"]>;

/** Undefined for a kind of file that means nothing to imports. */
function readOne(path: string): Answer | undefined {
  if (path.endsWith(".h")) return [{ kind: "header", path }];
  if (path.endsWith(".bpf.c"))
    return { problem: `${path} is a C program`, hint: "beetrace has no C compiler; write it as macros in a .bt file" };
  if (!path.endsWith(".bt")) return undefined;
  if ((statOf(path)?.size ?? 0) > maxSize) return { problem: `${path} is too large for a script` };
  try {
    return [{ kind: "script", path, text: readText(path) }];
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(pathOf(path));
  } catch {
    return undefined;
  }
}
