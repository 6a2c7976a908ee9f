// Kernels to test with: Debian's stock kernels, kept in .cache/kernels/, and one built with everything where it is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ReleaseArchive, Unavailable } from "./debian.mjs";
import { findRoot } from "./guest-root.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const cache = join(root, ".cache/kernels");

/** Stock kernels by name: the Debian release that has them, Node's name of the machine and Debian's if it is another one. */
export const stockKernels = {
  6.1: { release: "bookworm", arch: "x64" },
  6.12: { release: "trixie", arch: "x64" },
  newest: { release: "sid", arch: "x64" },
  arm64: { release: "trixie", arch: "arm64", foreign: "arm64" },
};

/** Node's name of the machine that a kernel is for. */
export const machineOf = (name) => stockKernels[name]?.arch ?? "x64";

/** A kernel with everything built in, on machines that have one beside the checkout. */
const everything = resolve(root, "../shared/kernels/linux-6.12-everything.bzImage");

/**
 * A kernel: `image`, the machine that it is for (`arch`), the folder `modules` that has modules.order (`undefined` if all
 * that a guest needs is built in), how the guest sees this machine's files (stock kernels for clouds have no 9p), and
 * the guest's own `root` where that is not this machine's.
 */
export async function findKernel(name, { say = () => {} } = {}) {
  if (name === "everything") {
    if (!existsSync(everything)) throw new Unavailable("there is no such kernel beside the checkout");
    return { name, arch: "x64", image: everything, modules: undefined, share: "9p", root: undefined };
  }
  if (name in stockKernels) return stockKernel(name, say);
  if (!existsSync(name)) {
    throw new Unavailable(`no kernel ${name}: a file, everything, ${Object.keys(stockKernels).join(" or ")}`);
  }
  return { name, arch: "x64", image: resolve(name), modules: undefined, share: "9p", root: undefined };
}

async function stockKernel(name, say) {
  const { release, arch, foreign } = stockKernels[name];
  const folder = join(cache, name);
  if (!existsSync(folder)) {
    say(`downloading Debian's kernel ${name}`);
    const work = `${folder}.${process.pid}`;
    try {
      mkdirSync(work, { recursive: true });
      await download(release, foreign, work);
      // Two runs may do this at the same time; who comes second finds it done.
      if (!existsSync(folder)) renameSync(join(work, "kernel"), folder);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const root = foreign === undefined ? undefined : await findRoot(release, foreign, arch, say);
  // The guest binds the modules' folder by its path before this machine's root is its own: no symbolic link may be in it.
  return { name, arch, ...contents(realpathSync(folder)), share: "virtiofs", root };
}

/** The image and the modules in an unpacked package: since Debian 13 all is below /usr, since 7.x the image, too. */
function contents(folder) {
  for (const path of ["usr/lib/modules", "lib/modules"]) {
    if (!existsSync(join(folder, path))) continue;
    const version = readdirSync(join(folder, path))[0] ?? "";
    const modules = join(folder, path, version);
    const image = [join(folder, "boot", `vmlinuz-${version}`), join(modules, "vmlinuz")].find((file) =>
      existsSync(file),
    );
    if (image !== undefined) return { version, image, modules };
  }
  throw new Unavailable(`no kernel in ${folder}`);
}

async function download(release, foreign, folder) {
  const archive = new ReleaseArchive(join(folder, "apt"), foreign);
  await archive.update(release);
  const machine = foreign ?? "amd64";
  // linux-image-cloud-amd64 names the newest one, which since 2026 is in more than one package.
  const newest = `linux-image-cloud-${machine}`;
  const wanted = new Set([newest]);
  for (const name of wanted) {
    for (const needed of await archive.dependencies(name)) {
      if (/^linux-(image|binary|base|modules)-/.test(needed) && needed.includes(`cloud-${machine}`)) wanted.add(needed);
    }
  }
  wanted.delete(newest);
  const kernel = join(folder, "kernel");
  for (const name of wanted) await archive.unpack(name, kernel);
  const { version, modules } = contents(kernel);
  // For modprobe in the guest; the initramfs does not need it.
  spawnSync("busybox", ["depmod", "-b", resolve(modules, "../../.."), version], { stdio: "ignore" });
  writeFileSync(join(kernel, "packages"), `${[...wanted].join("\n")}\n`);
}
