// Runs one command as root under another kernel, on this machine's own files, in QEMU without KVM.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Unavailable } from "./debian.mjs";
import { initramfs, moduleFiles } from "./initramfs.mjs";

export const packages = ["qemu-system-x86", "busybox-static", "xz-utils"];

// Debian 12's qemu-system-common has the one in C, later releases a package of its own with the one in Rust.
const daemons = [
  { path: "/usr/lib/qemu/virtiofsd", args: ["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"] },
  { path: "/usr/libexec/virtiofsd", args: ["--shared-dir=/", "--cache=always", "--sandbox=chroot"] },
];

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The command sees this machine's root file system; what it writes is in the guest's RAM and is gone afterwards. Its
 * output goes to `write` as it comes. Resolves with
 * - `status`: its exit status, `undefined` if the guest ended without one;
 * - `timedOut`: `seconds` were over;
 * - `log`: what the kernel said.
 */
export async function runInVm(kernel, argv, options = {}) {
  const { cwd = process.cwd(), env = {}, memory = 2048, cpus = 2, seconds = 300, bare = false } = options;
  const { write = (bytes) => process.stdout.write(bytes) } = options;
  if (process.arch !== "x64") throw new Unavailable("the virtual machines need x86-64");
  if (process.getuid() !== 0) throw new Unavailable("a virtual machine on this machine's files needs root");
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  if (busybox === undefined) throw new Unavailable("there is no busybox (Debian: busybox-static)");
  if (!existsSync("/usr/bin/qemu-system-x86_64")) throw new Unavailable("there is no qemu-system-x86_64");
  const job = mkdtempSync(join(tmpdir(), "beetrace-vm-"));
  const children = [];
  const stopAll = () => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(job, { recursive: true, force: true });
  };
  process.once("exit", stopAll);
  try {
    const variables = { PATH: process.env["PATH"], HOME: "/root", TERM: "dumb", LANG: "C.UTF-8", ...env };
    const command = [
      `cd ${quote(cwd)} || exit 126`,
      ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value ?? "")}`),
      `exec ${argv.map(quote).join(" ")}`,
      "",
    ].join("\n");
    const wanted = kernel.share === "virtiofs" ? ["virtio_pci", "virtiofs", "overlay"] : [];
    const archive = initramfs({
      busybox: readFileSync(busybox),
      moduleList: kernel.modules === undefined ? [] : moduleFiles(kernel.modules, wanted),
      modules: kernel.modules,
      share: kernel.share,
      bare,
      command,
    });
    writeFileSync(join(job, "initramfs"), archive);
    const share = kernel.share === "9p" ? share9p() : await shareVirtiofs(job, memory, children);
    const qemu = startTied(
      "/usr/bin/qemu-system-x86_64",
      [
        ...["-accel", "tcg,thread=single,tb-size=512", "-cpu", "max", "-smp", String(cpus), "-m", String(memory)],
        ...["-nodefaults", "-display", "none", "-no-reboot", ...share],
        ...["-serial", `file:${join(job, "log")}`, "-serial", "stdio", "-serial", `file:${join(job, "status")}`],
        ...["-kernel", kernel.image, "-initrd", join(job, "initramfs")],
        // Without mitigations: page table isolation alone doubles the cost of a system call when it is emulated.
        ...["-append", "console=ttyS0 loglevel=5 panic=-1 mitigations=off rdinit=/init"],
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

/** Starts a program that does not outlive this process, however that ends. */
function startTied(command, args, stdio) {
  return spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], { stdio });
}

/** What QEMU itself offers. */
function share9p() {
  return ["-virtfs", "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap"];
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
  return [
    ...["-object", `memory-backend-memfd,id=memory,size=${memory}M,share=on`, "-machine", "pc,memory-backend=memory"],
    ...["-chardev", `socket,id=files,path=${socket}`, "-device", "vhost-user-fs-pci,chardev=files,tag=hostroot"],
  ];
}
