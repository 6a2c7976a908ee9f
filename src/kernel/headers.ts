import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Header, Headers } from "../c/preprocess.js";

/** A header larger than this is none. */
const maxSize = 32 << 20;

export interface HeaderPlaces {
  /** Directories of -I, searched first. */
  readonly directories: readonly string[];
  /** Kernel release, whose headers are below /lib/modules. */
  readonly release: string;
  readonly arch: "x86_64" | "arm64";
}

/**
 * Headers on this machine, in the order in which a compiler searches: -I, then the kernel's own if they are installed
 * (the packages kernel-headers and linux-headers lead from /lib/modules to them), then those of the C library.
 */
export function openHeaders(places: HeaderPlaces): Headers {
  const kernel = kernelDirectories(places);
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
      return undefined;
    },
  };
}

/** What the kernel's own Makefile searches (Makefile, LINUXINCLUDE, Linux 6.12); none if headers are not installed. */
function kernelDirectories({ release, arch }: HeaderPlaces): readonly string[] {
  const base = `/lib/modules/${release}`;
  const [source, build] = [`${base}/source`, `${base}/build`];
  const machine = arch === "x86_64" ? "x86" : "arm64";
  const trees = [source, build].filter((tree) => isDirectory(join(tree, "include/linux")));
  return trees.flatMap((tree) =>
    [
      `arch/${machine}/include`,
      `arch/${machine}/include/generated`,
      "include",
      `arch/${machine}/include/uapi`,
      `arch/${machine}/include/generated/uapi`,
      "include/uapi",
      "include/generated/uapi",
    ]
      .map((path) => join(tree, path))
      .filter(isDirectory),
  );
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readHeader(path: string, root: string): Header | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size > maxSize) return undefined;
    return { name: path, text: readFileSync(path, "latin1"), root };
  } catch {
    // Unreadable is as good as not there.
    return undefined;
  }
}
