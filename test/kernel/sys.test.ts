import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import * as bpfAbi from "../../src/abi/bpf.js";
import { perfEventAttr } from "../../src/abi/perf.js";
import * as programTypes from "../../src/abi/program-type.js";
import { machines } from "../../src/abi/registers.js";
import { cString, type Fields, type Struct, zeroed } from "../../src/abi/struct.js";
import type { Btf } from "../../src/formats/btf.js";
import { type Feature, features } from "../../src/kernel/features.js";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import { featureNames } from "../../src/language/needs.js";
import { openSys } from "../../src/sys/ffi.js";
import { mapCreate } from "../../src/sys/map-calls.js";
import { Mapping } from "../../src/sys/mapping.js";
import { waitReadable } from "../../src/sys/poll.js";
import {
  clearEventFd,
  eventFd,
  getLimit,
  kill,
  RLIMIT_NOFILE,
  setLimit,
  setName,
  signalEventFd,
} from "../../src/sys/process-calls.js";
import { SyscallError } from "../../src/sys/syscall-error.js";
import { kernelTest } from "../support/kernel-test.js";
import { isEmulated } from "../support/run.js";

const sys = openSys();
const kernel = openKernelView(sys);
const live = existsSync("/sys/kernel/btf/vmlinux") ? {} : { skip: "this kernel has no BTF" };
const liveBtf = (): Btf => {
  const btf = kernel.btf();
  assert.ok(!("missing" in btf));
  return btf;
};

/** Byte offset of a path of members (`link_create.tracing.cookie`); undefined if this kernel has no such member. */
function offsetOf(btf: Btf, type: string, path: string): number | undefined {
  let id = btf.find(type, "union") ?? btf.find(type, "struct");
  let bits = 0;
  for (const name of path.split(".")) {
    const member = id === undefined ? undefined : btf.memberOf(id, name);
    if (member === undefined) return undefined;
    bits += member.bitOffset;
    id = member.type;
  }
  return bits / 8;
}

const isStruct = (value: unknown): value is Struct<Fields> =>
  typeof value === "object" && value !== null && "encode" in value && "fields" in value;

test("structures are laid out as the running kernel's BTF says", live, () => {
  const btf = liveBtf();
  // Not members of struct perf_event_attr: bit fields, and text of ours for a union.
  const renamed: Record<string, string> = { flags: "disabled", probe_offset: "probe_offset" };
  let checked = 0;
  for (const [name, value] of Object.entries({ ...bpfAbi, perfEventAttr })) {
    if (!isStruct(value)) continue;
    for (const [field, [offset]] of Object.entries(value.fields)) {
      const path = value.name === "perf_event_attr" ? (renamed[field] ?? field) : field;
      const expected = offsetOf(btf, value.name, path);
      if (expected === undefined) continue;
      assert.equal(offset, expected, `${name}.${field}`);
      checked++;
    }
  }
  assert.ok(checked > 60, `${checked}`);
  for (const [field, offset] of Object.entries(bpfAbi.progInfo.fields)) {
    assert.equal(offset, offsetOf(btf, "bpf_prog_info", field) ?? offset, field);
  }
  for (const [field, offset] of Object.entries(bpfAbi.linkInfo.fields)) {
    // What a kernel has not is not in its BTF either.
    assert.equal(offset, offsetOf(btf, "bpf_link_info", field) ?? (field.includes(".") ? offset : undefined), field);
  }
});

test("constants are those of the running kernel", live, () => {
  const btf = liveBtf();
  const values = new Map<string, bigint>();
  for (const name of ["bpf_cmd", "bpf_map_type", "bpf_attach_type", "bpf_prog_type"]) {
    const id = btf.find(name, "enum");
    const type = id === undefined ? undefined : btf.type(id);
    assert.ok(type?.kind === "enum", name);
    for (const { name, value } of type.values) values.set(name, value);
  }
  let checked = 0;
  for (const [name, value] of Object.entries({ ...bpfAbi, ...programTypes })) {
    const expected = values.get(name);
    if (typeof value !== "number" || expected === undefined) continue;
    assert.equal(BigInt(value), expected, name);
    checked++;
  }
  assert.ok(checked > 25, `${checked}`);
  for (const [name, value] of Object.entries(bpfAbi.progTypes)) {
    assert.equal(values.get(`BPF_PROG_TYPE_${name.toUpperCase()}`), BigInt(value), name);
  }
});

test("registers are where struct pt_regs has them", live, () => {
  const btf = liveBtf();
  const machine = machines[sys.arch];
  const id = btf.find("pt_regs", "struct");
  assert.ok(id !== undefined);
  for (const [name, offset] of Object.entries(machine.registers)) {
    const member = btf.memberOf(id, name === "orig_rax" ? "orig_ax" : name);
    if (member !== undefined) assert.equal(offset, member.bitOffset / 8, name);
  }
  if (sys.arch === "x86_64") assert.equal(machine.ptRegsSize, btf.sizeOf(id));
});

kernelTest("every system call that has an event has a number", () => {
  const events = kernel.tracepoints();
  assert.ok(!("missing" in events));
  const unknown = events
    .filter((event) => event.startsWith("syscalls:sys_enter_"))
    .map((event) => event.slice("syscalls:sys_enter_".length))
    .filter((name) => kernel.syscallNumber(name) === undefined);
  // Calls that are newer than this table may be missing, none else.
  assert.ok(unknown.length <= 3, unknown.join(" "));
});

kernelTest("features are answered, and those of this kernel's age are there", () => {
  const [major = 0, minor = 0] = kernel.release.split(".").map(Number);
  // What depends on how a kernel was built, or on the machine.
  const optional = new Set([
    "kprobe",
    "kprobeMulti",
    "kprobeSession",
    "fentry",
    "functionArguments",
    "hardwareEvents",
    "overrideReturn",
    "btf",
    "uprobe",
    // QEMU has them where it emulates the processor; other virtual machines may not tell of a hit.
    ...(isEmulated() ? [] : ["breakpoint"]),
  ]);
  for (const name of featureNames) {
    const answer = kernel.feature(name);
    assert.notEqual(answer, "unknown", name);
    const feature: Feature = features[name];
    const isBefore = (version: string): boolean => {
      const [otherMajor = 0, otherMinor = 0] = version.split(".").map(Number);
      return major < otherMajor || (major === otherMajor && minor < otherMinor);
    };
    if (isBefore(feature.since)) continue;
    const gone = feature.until !== undefined && feature.until !== `${major}.${minor}` && !isBefore(feature.until);
    if (gone) assert.equal(answer, "no", `${name}, until ${feature.until}`);
    else if (!optional.has(name)) assert.equal(answer, "yes", `${name}, since ${features[name].since}`);
  }
});

kernelTest("the kernel's lists", () => {
  assert.ok(kernel.possibleCpus >= 1);
  assert.ok(kernel.rawTracepoints().includes("sys_enter"));
  const functions = kernel.kernelFunctions();
  assert.ok(!("missing" in functions));
  const [read, ...more] = functions.find("vfs_read");
  assert.deepEqual([read?.name, read?.module, more], ["vfs_read", "vmlinux", []]);
  // ftrace's place is behind the endbr64 of a kernel with IBT, which stock ones are.
  if (read?.address !== undefined)
    assert.ok([0n, 4n].includes(read.address - (kernel.kernelSymbol("vfs_read") ?? 0n)), `${read.address}`);
  assert.deepEqual(functions.names.slice(0, 100), [...functions.names.slice(0, 100)].sort());
  assert.deepEqual(kernel.modules(), [...kernel.modules()].sort());
  assert.ok((kernel.kernelSymbol("vfs_read") ?? 0n) > 2n ** 63n);
  assert.equal(kernel.kernelSymbol("no_such_symbol"), undefined);
  assert.equal(kernel.tracepoint("syscalls", "sys_enter_read")?.name, "sys_enter_read");
  assert.equal(kernel.tracepoint("syscalls", "no_such_event"), undefined);
});

kernelTest("a mapping that was unmapped has nothing to read", (sys) => {
  const ring = {
    name: "ring",
    type: bpfAbi.BPF_MAP_TYPE_RINGBUF,
    keySize: 0,
    valueSize: 0,
    maxEntries: sys.pageSize,
    flags: 0,
  };
  using fd = mapCreate(sys, ring);
  const mapping = new Mapping(sys, fd, 0, sys.pageSize, "write");
  const bytes = new Uint8Array(mapping.buffer);
  assert.equal(bytes.length, sys.pageSize);
  mapping[Symbol.dispose]();
  mapping[Symbol.dispose]();
  assert.throws(() => mapping.buffer, /internal/);
});

kernelTest("waiting for a descriptor", async (sys) => {
  using fd = eventFd(sys, "test");
  assert.equal(await waitReadable(sys, [fd], 5), false);
  const wait = waitReadable(sys, [fd], 10_000);
  signalEventFd(sys, fd);
  assert.equal(await wait, true);
  clearEventFd(sys, fd);
  assert.equal(await waitReadable(sys, [fd], 0), false);
});

test("small calls", () => {
  const limit = getLimit(sys, RLIMIT_NOFILE);
  assert.ok(limit.soft > 0n && limit.soft <= limit.hard);
  setLimit(sys, RLIMIT_NOFILE, limit);
  kill(sys, process.pid, 0);
  assert.throws(
    () => kill(sys, 2 ** 30, 0),
    (error) => error instanceof SyscallError && error.code === "ESRCH",
  );
  setName(sys, "beetrace-test-with-a-long-name");
  assert.equal(sys.pageSize % 4096, 0);
  // More bytes than V8 would keep in its own heap, and fewer.
  for (const size of [1, 63, 64, 65, 5000]) {
    const bytes = zeroed(size);
    assert.equal(sys.addressOf(bytes), sys.addressOf(bytes));
  }
  assert.ok(sys.addressOf(cString("x").bytes) > 0n);
});
