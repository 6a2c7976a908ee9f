import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { pathOf } from "../base/byte-text.js";
import { FormatError } from "../base/errors.js";
import type { Header, Headers } from "../c/preprocess.js";
import { parseTar, type TarEntry } from "../formats/tar.js";
import { readText } from "../sys/byte-files.js";

/** A header larger than this is none. */
const maxSize = 32 << 20;

export interface HeaderPlaces {
  /** Directories of -I, searched first. */
  readonly directories: readonly string[];
  /** Kernel release, whose headers are below /lib/modules. */
  readonly release: string;
  readonly arch: "x86_64" | "arm64";
  /** The archive of headers that a kernel may carry (CONFIG_IKHEADERS). */
  readonly archive?: string;
}

const kernelArchive = "/sys/kernel/kheaders.tar.xz";
/** Headers of a kernel, unpacked; a damaged archive must not fill the memory. */
const maxArchive = 512 << 20;

/**
 * Headers on this machine, in the order in which a compiler searches: -I, then the kernel's own if they are installed
 * (the packages kernel-headers and linux-headers lead from /lib/modules to them), those of the C library, the kernel's archive.
 */
export function openHeaders(places: HeaderPlaces): Headers {
  const kernel = kernelDirectories(places);
  const { archive = kernelArchive } = places;
  const hasArchive = kernel.length === 0 && isFile(archive);
  let packed: ((name: string, after: string | undefined) => Header | undefined) | undefined;
  const machine = places.arch === "x86_64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu";
  const system = ["/usr/local/include", `/usr/include/${machine}`, "/usr/include"];
  const roots = [...places.directories, ...kernel, ...system];
  return {
    kernel: kernel.length > 0,
    find: (name, quoted, from, after) => {
      if (name.startsWith("/")) return readHeader(name, "/");
      const all = quoted ? [dirname(from), ...roots] : roots;
      const searched = after === undefined ? all : roots.slice(roots.indexOf(after) + 1);
      for (const root of searched) {
        const found = readHeader(join(root, name), root);
        if (found !== undefined) return found;
      }
      if (!hasArchive) return undefined;
      // Unpacking takes a second: only for a header that is nowhere else, for its macros; types come from BTF.
      packed ??= openArchive(archive, kernelIncludes(places.arch));
      return packed(name, after);
    },
  };
}

/** What the kernel's own Makefile searches (Makefile, LINUXINCLUDE, Linux 6.12); none if headers are not installed. */
function kernelDirectories({ release, arch }: HeaderPlaces): readonly string[] {
  const base = `/lib/modules/${release}`;
  const [source, build] = [`${base}/source`, `${base}/build`];
  const trees = [source, build].filter((tree) => isDirectory(join(tree, "include/linux")));
  return trees.flatMap((tree) =>
    kernelIncludes(arch)
      .map((path) => join(tree, path))
      .filter(isDirectory),
  );
}

function kernelIncludes(arch: HeaderPlaces["arch"]): readonly string[] {
  const machine = arch === "x86_64" ? "x86" : "arm64";
  return [
    `arch/${machine}/include`,
    `arch/${machine}/include/generated`,
    "include",
    `arch/${machine}/include/uapi`,
    `arch/${machine}/include/generated/uapi`,
    "include/uapi",
    "include/generated/uapi",
  ];
}

/** Headers in an archive that xz(1) unpacks; none if it cannot. */
function openArchive(
  path: string,
  directories: readonly string[],
): (name: string, after: string | undefined) => Header | undefined {
  const { stdout, status } = spawnSync("xz", ["-dc", path], { maxBuffer: maxArchive });
  if (status !== 0) return () => undefined;
  let files: ReadonlyMap<string, TarEntry>;
  try {
    files = parseTar(stdout);
  } catch (error) {
    if (error instanceof FormatError) return () => undefined;
    throw error;
  }
  const roots = directories.map((directory) => `${path}/${directory}`);
  return (name, after) => {
    for (const root of roots.slice(after === undefined ? 0 : roots.indexOf(after) + 1)) {
      const entry = files.get(posix.join(root.slice(path.length + 1), name));
      if (entry === undefined) continue;
      const text = stdout.toString("latin1", entry.start, entry.start + entry.size);
      return { name: `${root}/${name}`, text, root };
    }
    return undefined;
  };
}

const isFile = (path: string): boolean => statSync(pathOf(path), { throwIfNoEntry: false })?.isFile() === true;

function isDirectory(path: string): boolean {
  return statSync(pathOf(path), { throwIfNoEntry: false })?.isDirectory() === true;
}

function readHeader(path: string, root: string): Header | undefined {
  try {
    const stat = statSync(pathOf(path), { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size > maxSize) return undefined;
    return { name: path, text: readText(path), root };
  } catch {
    // Unreadable is as good as not there.
    return undefined;
  }
}
