// Runs one command as root under another kernel, on this machine's own files, in QEMU without KVM.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Unavailable } from "./debian.mjs";
import { initramfs, moduleFiles } from "./initramfs.mjs";

const checkout = join(dirname(fileURLToPath(import.meta.url)), "..");

/** By Node's name of the guest's machine. Three serial lines: what the kernel says, the command's output, its status. */
const machines = {
  x64: {
    packages: ["qemu-system-x86"],
    qemu: "/usr/bin/qemu-system-x86_64",
    machine: "pc",
    cpu: "max",
    console: "ttyS0",
    // Kernels before 6.9 would ask the HPET, outside of the guest: on one thread the processors' clock is one.
    boot: "tsc=reliable",
    lines: { output: "ttyS1", status: "ttyS2" },
    serial: (job) => [...["-serial", `file:${job}/log`, "-serial", "stdio", "-serial", `file:${job}/status`]],
  },
  arm64: {
    packages: ["qemu-system-arm"],
    qemu: "/usr/bin/qemu-system-aarch64",
    machine: "virt",
    // With "max" programs of Node.js crash in QEMU 7.2, about one of ten.
    cpu: "neoverse-n1",
    console: "ttyAMA0",
    boot: "",
    lines: { output: "ttyS0", status: "ttyS1" },
    // The machine has one line of its own.
    serial: (job) => [
      ...["-serial", `file:${job}/log`, "-chardev", "stdio,id=output,signal=off"],
      ...["-chardev", `file,id=status,path=${job}/status`],
      ...["-device", "pci-serial-2x,chardev1=output,chardev2=status"],
    ],
  },
};

/** Debian's packages that a guest of such a machine takes. */
export const packagesFor = (arch) => [...machines[arch].packages, "busybox-static", "xz-utils"];

// Debian 12's qemu-system-common has the one in C, later releases a package of its own with the one in Rust.
const daemons = [
  { path: "/usr/lib/qemu/virtiofsd", args: ["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"] },
  { path: "/usr/libexec/virtiofsd", args: ["--shared-dir=/", "--cache=always", "--sandbox=chroot"] },
];

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The command sees this machine's root file system, or one made for its processor with the checkout and the working folder
 * in their places; what it writes is in the guest's RAM and is gone afterwards. Its output goes to `write` as it comes.
 * Resolves with
 * - `status`: its exit status, `undefined` if the guest ended without one;
 * - `timedOut`: `seconds` were over;
 * - `log`: what the kernel said.
 */
export async function runInVm(kernel, argv, options = {}) {
  const { cwd = process.cwd(), env = {}, memory = 2048, cpus = 2, seconds = 300, bare = false } = options;
  const { write = (bytes) => process.stdout.write(bytes) } = options;
  if (process.arch !== "x64") throw new Unavailable("the virtual machines need x86-64");
  if (process.getuid() !== 0) throw new Unavailable("a virtual machine on this machine's files needs root");
  const machine = machines[kernel.arch];
  const own = kernel.root === undefined;
  const busybox = own ? ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) : kernel.root.busybox;
  if (busybox === undefined) throw new Unavailable("there is no busybox (Debian: busybox-static)");
  if (!existsSync(machine.qemu)) throw new Unavailable(`there is no ${machine.qemu}`);
  const job = mkdtempSync(join(tmpdir(), "beetrace-vm-"));
  const children = [];
  const stopAll = () => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(job, { recursive: true, force: true });
  };
  process.once("exit", stopAll);
  try {
    const path = own ? process.env["PATH"] : "/usr/local/bin:/usr/sbin:/usr/bin";
    const variables = {
      PATH: path,
      HOME: "/root",
      BEETRACE_TESTS_EMULATED: "1",
      TERM: "dumb",
      LANG: "C.UTF-8",
      ...env,
    };
    const command = [
      `cd ${quote(cwd)} || exit 126`,
      ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value ?? "")}`),
      `exec ${argv.map(quote).join(" ")}`,
      "",
    ].join("\n");
    const wanted = kernel.share === "virtiofs" ? ["virtio_pci", "virtiofs", "overlay"] : [];
    if (!own) wanted.push("virtio_blk", "ext4");
    const archive = initramfs({
      busybox: readFileSync(busybox),
      moduleList: kernel.modules === undefined ? [] : moduleFiles(kernel.modules, wanted),
      modules: kernel.modules,
      share: kernel.share,
      disk: !own,
      folders: own ? [] : sharedFolders(cwd),
      lines: machine.lines,
      bare,
      command,
    });
    writeFileSync(join(job, "initramfs"), archive);
    const share = kernel.share === "9p" ? share9p() : await shareVirtiofs(job, memory, children);
    const disk = own ? [] : ["-drive", `file=${kernel.root.image},format=raw,if=virtio,readonly=on`];
    const qemu = startTied(
      machine.qemu,
      [
        ...["-accel", "tcg,thread=single,tb-size=512", "-cpu", machine.cpu, "-smp", String(cpus), "-m", String(memory)],
        ...["-nodefaults", "-display", "none", "-no-reboot", ...share.options, ...disk, ...machine.serial(job)],
        ...["-machine", [machine.machine, ...share.machine].join(",")],
        ...["-kernel", kernel.image, "-initrd", join(job, "initramfs")],
        // Without mitigations: page table isolation alone doubles the cost of a system call when it is emulated.
        ...["-append", `console=${machine.console} loglevel=5 panic=-1 mitigations=off ${machine.boot} rdinit=/init`],
      ],
      ["ignore", "pipe", "pipe"],
    );
    children.push(qemu);
    let errors = "";
    qemu.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text;
    });
    qemu.stdout.on("data", write);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      qemu.kill("SIGKILL");
    }, seconds * 1000);
    await new Promise((resolve, reject) => {
      qemu.on("error", (cause) => reject(new Unavailable(`setpriv: ${cause.message}`)));
      qemu.on("close", resolve);
    });
    clearTimeout(timer);
    const read = (name) => (existsSync(join(job, name)) ? readFileSync(join(job, name), "latin1") : "");
    const status = /^(\d+)$/m.exec(read("status").replaceAll("\r", ""))?.[1];
    return {
      status: status === undefined ? undefined : Number(status),
      timedOut,
      log: `${errors}${read("log").replaceAll("\r", "")}`,
    };
  } finally {
    process.off("exit", stopAll);
    stopAll();
  }
}

/** What a guest with a root of its own sees of this machine: the checkout, where its modules really are, and `cwd`. */
function sharedFolders(cwd) {
  const folders = [checkout, join(checkout, "node_modules"), cwd].flatMap((path) =>
    existsSync(path) ? [realpathSync(path)] : [],
  );
  const inside = (path, folder) => path.startsWith(`${folder}/`);
  return [...new Set(folders)].filter((path) => !folders.some((folder) => inside(path, folder)));
}

/** Starts a program that does not outlive this process, however that ends. */
function startTied(command, args, stdio) {
  return spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], { stdio });
}

/** What QEMU itself offers. */
function share9p() {
  const options = ["-virtfs", "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap"];
  return { options, machine: [] };
}

/** A process of its own serves the files; it works on the guest's memory, and ends when QEMU does. */
async function shareVirtiofs(job, memory, children) {
  const daemon = daemons.find(({ path }) => existsSync(path));
  if (daemon === undefined)
    throw new Unavailable("there is no virtiofsd (Debian 12: qemu-system-common, 13: virtiofsd)");
  const socket = join(job, "virtiofs");
  // Without --rlimit-nofile=0 it wants a million descriptors, which root in a container may not have.
  const args = [`--socket-path=${socket}`, ...daemon.args, "--rlimit-nofile=0"];
  const child = startTied(daemon.path, args, ["ignore", "ignore", "pipe"]);
  children.push(child);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    errors = (errors + text).slice(-4096);
  });
  let ended = false;
  child.on("error", (cause) => {
    errors = cause.message;
    ended = true;
  });
  child.on("exit", () => {
    ended = true;
  });
  for (let turn = 0; !existsSync(socket); turn++) {
    if (ended || turn === 400) throw new Unavailable(`virtiofsd does not start: ${errors.trim().split("\n").pop()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const options = [
    ...["-object", `memory-backend-memfd,id=memory,size=${memory}M,share=on`],
    ...["-chardev", `socket,id=files,path=${socket}`, "-device", "vhost-user-fs-pci,chardev=files,tag=hostroot"],
  ];
  return { options, machine: ["memory-backend=memory"] };
}
