// Probes in a module of the kernel: sunrpc, which needs no other and can be made to work by a file of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isEmulated, lacks, lines, root, run, trace } from "../support/run.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-modules-"));
after(() => rmSync(folder, { recursive: true }));

/** The file of the module that belongs to this kernel: in the system, or where the kernels of our machines are kept. */
function moduleFile(): string | undefined {
  const kernels = join(root, ".cache/kernels");
  const kept = existsSync(kernels) ? readdirSync(kernels).map((name) => join(kernels, name)) : [];
  for (const place of ["", ...kept])
    for (const lib of ["lib", "usr/lib"])
      for (const suffix of ["ko", "ko.xz"]) {
        const file = join(place || "/", lib, "modules", release(), `kernel/net/sunrpc/sunrpc.${suffix}`);
        if (existsSync(file)) return file;
      }
  return undefined;
}

const isLoaded = (): boolean =>
  existsSync("/proc/modules") && /^sunrpc /m.test(readFileSync("/proc/modules", "latin1"));

/** Why the module cannot be had; only our own machines are given one. */
function load(): string | false {
  if (isLoaded()) return false;
  const file = moduleFile();
  if (file === undefined || !isEmulated()) return `there is no module for this kernel (${release()})`;
  const plain = join(folder, "sunrpc.ko");
  const unpacked = file.endsWith(".xz")
    ? spawnSync("xz", ["-dc", file], { maxBuffer: 2 ** 26 }).stdout
    : readFileSync(file);
  writeFileSync(plain, unpacked);
  const { status, stderr } = spawnSync("busybox", ["insmod", plain], { encoding: "utf8" });
  return status === 0 ? false : `the module cannot be loaded: ${stderr}`;
}

const skip = load();

/** Gives the module's table of addresses an entry `count` times. */
function update(count: number): void {
  for (let i = 0; i < count; i++)
    writeFileSync("/proc/net/rpc/auth.unix.ip/channel", `nfsd 127.0.0.${i + 1} 4000000000 somebody\n`);
}

test("raw tracepoints of a module, listed with their arguments and counted", { skip }, async () => {
  const { out: listed } = await run("-lv", "rawtracepoint:sunrpc:cache_entry_update");
  assert.deepEqual(lines(listed).slice(0, 2), [
    "rawtracepoint:sunrpc:cache_entry_update",
    "    const struct cache_detail * cd",
  ]);
  const script = `rawtracepoint:sunrpc:cache_entry_* { @raw[probe, str(((struct cache_detail *)arg0)->name)] = count(); }
    rawtracepoint:cache_entry_update { @typed[str(args.cd.name)] = count(); }`;
  const { out, err } = await trace(["-e", script], () => update(7));
  assert.ok(lines(out).includes("@raw[rawtracepoint:sunrpc:cache_entry_update, auth.unix.ip]: 7"), out + err);
  assert.ok(lines(out).includes("@typed[auth.unix.ip]: 7"), out + err);
});

test("functions of a module by kprobe", { skip: skip || lacks("kprobe") }, async () => {
  const script = `kprobe:sunrpc:sunrpc_cache_update { @with[func] = count(); } kprobe:sunrpc_cache_updat* { @[probe] = count(); }
    kretprobe:sunrpc:sunrpc_cache_update { @ret = count(); @stack[kstack(1)] = count(); }`;
  const { out, err } = await trace(["-e", script], () => update(5));
  for (const line of ["@with[sunrpc_cache_update]: 5", "@[kprobe:sunrpc_cache_update]: 5", "@ret: 5"])
    assert.ok(lines(out).includes(line), `${line}: ${out}${err}`);
});

test("functions of a module by fentry and fexit", { skip: skip || lacks("fentry") }, async () => {
  const script = `fentry:sunrpc:sunrpc_cache_update { @[func, str(args.detail.name)] = count(); }
    fexit:sunrpc_cache_update { @ok[retval != 0] = count(); }`;
  const { out, err } = await trace(["-e", script], () => update(3));
  assert.ok(lines(out).includes("@[sunrpc_cache_update, auth.unix.ip]: 3"), out + err);
  assert.ok(lines(out).includes("@ok[true]: 3"), out + err);
});
