// The first root file system of a virtual machine: busybox, the modules that it takes to reach this machine's files, and
// an init that mounts them below a RAM overlay and runs one command.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFCHR = 0o020000;

/** An archive as the kernel wants it: Documentation/driver-api/early-userspace/buffer-format.rst, "newc". */
export function cpio(entries) {
  const pieces = [];
  const pad = (length) => Buffer.alloc((4 - (length % 4)) % 4);
  const add = (inode, { path, mode, data = Buffer.alloc(0), device = [0, 0] }) => {
    const name = Buffer.from(`${path}\0`);
    // Inode, mode, uid, gid, links, time, size, device of the file system, device, length of the name, checksum.
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length, 0];
    const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
    pieces.push(head, name, pad(head.length + name.length), data, pad(data.length));
  };
  entries.forEach((entry, at) => {
    add(at + 1, entry);
  });
  add(0, { path: "TRAILER!!!", mode: 0 });
  return Buffer.concat(pieces);
}

const directory = (path) => ({ path, mode: S_IFDIR | 0o755 });
const file = (path, data, mode = 0o644) => ({ path, mode: S_IFREG | mode, data: Buffer.from(data) });

/** The files of the wanted modules and of those that they need, in the order to load them; built-in ones have none. */
export function moduleFiles(folder, wanted) {
  const paths = new Map();
  for (const path of readdirSync(folder, { recursive: true })) {
    const name = /([^/]+)\.ko(\.xz|\.zst|\.gz)?$/.exec(path)?.[1];
    if (name !== undefined) paths.set(name.replaceAll("-", "_"), join(folder, path));
  }
  const loaded = new Map();
  const load = (name) => {
    const path = paths.get(name);
    if (path === undefined || loaded.has(name)) return;
    const data = unpacked(path);
    // A module says in its section .modinfo what it needs: "depends=a,b", ended by a zero byte.
    const depends = /\0depends=([^\0]*)\0/.exec(data.toString("latin1"))?.[1] ?? "";
    for (const needed of depends.split(",")) if (needed !== "") load(needed.replaceAll("-", "_"));
    loaded.set(name, { name: basename(path).replace(/\.ko.*/, ".ko"), data });
  };
  for (const name of wanted) load(name);
  return [...loaded.values()];
}

function unpacked(path) {
  const tool = path.endsWith(".xz") ? "xz" : path.endsWith(".zst") ? "zstd" : path.endsWith(".gz") ? "gzip" : undefined;
  if (tool === undefined) return readFileSync(path);
  const run = spawnSync(tool, ["-dc", path], { maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${tool} -dc ${path}: ${run.error?.message ?? run.stderr}`);
  return run.stdout;
}

/**
 * `command` is a shell script that runs on this machine's files (`share` says how they come: 9p or virtiofs), its output
 * goes to one serial line, its status to another (`lines`). `bare`: only what every system has is mounted; tracefs,
 * debugfs and bpf are not. `modules`: where the guest finds the kernel's modules, a path of this machine. `disk`: its
 * root is on a disk, and of this machine's files it has those `folders` at their places.
 */
export function initramfs({ busybox, moduleList, modules, share, disk, folders, lines, bare, command }) {
  const mountShare =
    share === "9p"
      ? "mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=262144 hostroot /lower"
      : "mount -t virtiofs -o ro hostroot /lower";
  const bindModules =
    modules === undefined
      ? ":"
      : `mkdir -p "lib/modules/$(uname -r)"; mount --bind "${disk ? "/lower" : "."}${modules}" "lib/modules/$(uname -r)"`;
  const overlay = (name, from, to) => `mkdir -p /upper/${name}.files /upper/${name}.work ${to}
mount -t overlay overlay -o lowerdir=${from},upperdir=/upper/${name}.files,workdir=/upper/${name}.work ${to} || fail "no overlay"`;
  const more = bare
    ? ""
    : `mount -t tracefs tracefs sys/kernel/tracing
mount -t debugfs debugfs sys/kernel/debug
mount -t bpf bpf sys/fs/bpf
mount -t securityfs securityfs sys/kernel/security`;
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
stop() { sync; poweroff -f; }
fail() { echo "init: $1"; stop; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod "/modules/$module" || fail "cannot load $module"; done
${mountShare} || fail "cannot mount this machine's files"
mount -t tmpfs -o size=80% ram /upper
${disk ? 'mount -t ext4 -o ro /dev/vda /base || fail "cannot mount the root"' : ""}
${overlay("root", disk ? "/base" : "/lower", "/upper/root")}
cd /upper/root
${folders.map((folder, at) => overlay(`folder${at}`, `/lower${folder}`, `/upper/root${folder}`)).join("\n")}
mount -t proc proc proc
mount -t sysfs sys sys
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm run
ln -sf /proc/self/fd dev/fd; ln -sf fd/0 dev/stdin; ln -sf fd/1 dev/stdout; ln -sf fd/2 dev/stderr
mount -t devpts devpts dev/pts
mount -t tmpfs shm dev/shm
mount -t tmpfs run run
mount -t cgroup2 cgroup2 sys/fs/cgroup
${more}
${bindModules}
ip link set lo up
hostname vm
cp /command run/command
cp /bin/busybox run/busybox
cp /last run/last
stty -F /dev/${lines.output} raw -echo
stty -F /dev/${lines.status} raw -echo
exec switch_root . /run/busybox sh /run/last
`;
  // The root of the mount namespace, not that of a chroot: in one, nobody could mount or make a user namespace.
  const last = `/bin/sh /run/command </dev/null >/dev/${lines.output} 2>&1
echo "$?" >/dev/${lines.status}
/run/busybox sync
/run/busybox poweroff -f
`;
  return cpio([
    ...["bin", "dev", "proc", "sys", "lower", "base", "upper", "modules"].map(directory),
    { path: "dev/console", mode: S_IFCHR | 0o600, device: [5, 1] },
    file("bin/busybox", busybox, 0o755),
    ...moduleList.map(({ name, data }) => file(`modules/${name}`, data)),
    file("modules/order", moduleList.map(({ name }) => `${name}\n`).join("")),
    file("command", command),
    file("last", last),
    file("init", init, 0o755),
  ]);
}
