// The root file system of guests whose processor is not this machine's: Debian's packages in an image in .cache/roots/.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { output, ReleaseArchive, Unavailable } from "./debian.mjs";

const checkout = join(dirname(fileURLToPath(import.meta.url)), "..");
const cache = join(checkout, ".cache/roots");

/** What the kernel tests and their programs need; a change of the list makes a new root. */
const packages = [
  ...[
    "base-files",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "findutils",
    "gawk",
    "grep",
    "libc-bin",
    "procps",
    "sed",
  ],
  ...["binutils", "gcc", "libc6-dev", "nodejs", "systemtap-sdt-dev", "util-linux"],
];

/** What scripts of the packages would have made: users, and the names that Debian's alternatives give. */
const files = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  "etc/hostname": "vm\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\n",
};
const links = { "usr/bin/awk": "gawk", "usr/bin/cc": "gcc" };

/**
 * Such a root of a Debian release, e.g. `trixie`, for a machine by Debian's and by Node's name: an `image` with ext4, and its
 * `busybox`. Not a folder that virtiofsd serves: of what that writes into the guest's memory QEMU is not told, as it is of
 * reads from a disk, so that it could go on with translations of the code that was there before.
 */
export async function findRoot(release, architecture, nodeArch, say) {
  const folder = join(cache, architecture);
  const found = { image: join(folder, "image"), busybox: join(folder, "busybox") };
  const stamp = JSON.stringify({ release, packages, koffi: koffiVersion() });
  if (existsSync(folder) && readFileSync(join(folder, "stamp"), "utf8") === stamp) return found;
  say(`making a root of Debian's packages for ${architecture}`);
  const work = `${folder}.${process.pid}`;
  try {
    const root = join(work, "root");
    const done = join(work, "done");
    for (const path of [root, done]) mkdirSync(path, { recursive: true });
    const archive = new ReleaseArchive(join(work, "apt"), architecture);
    await archive.update(release);
    await archive.unpackWithDependencies(packages, root);
    for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
    for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
    await addKoffi(root, nodeArch);
    // A file with holes: what is not used takes no room.
    await output("/sbin/mke2fs", ["-q", "-t", "ext4", "-O", "^has_journal", "-d", root, join(done, "image"), "2G"]);
    copyFileSync(join(root, "usr/bin/busybox"), join(done, "busybox"));
    writeFileSync(join(done, "stamp"), stamp);
    rmSync(folder, { recursive: true, force: true });
    renameSync(done, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return found;
}

const readLock = () => readFileSync(join(checkout, "package-lock.json"), "utf8");
const koffiVersion = () => JSON.parse(readLock()).packages["node_modules/koffi"].version;

/**
 * npm installs koffi's native part for this machine only. The other one comes to /node_modules of the guest, where Node
 * looks for what is in no folder further down; the lock file says what it must be.
 */
async function addKoffi(root, nodeArch) {
  for (const name of ["package.json", "package-lock.json"]) {
    writeFileSync(join(root, name), readFileSync(join(checkout, name)));
  }
  const options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--os=linux", `--cpu=${nodeArch}`];
  await output("npm", ["ci", ...options], { cwd: root });
  const native = `node_modules/@koromix/koffi-linux-${nodeArch}`;
  if (!existsSync(join(root, native))) throw new Unavailable(`npm did not install ${native}`);
}
