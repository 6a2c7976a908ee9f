import assert from "node:assert/strict";
import { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_STACK_TRACE } from "../../src/abi/bpf.js";
import { BPF_TRACE_RAW_TP, BPF_TRACE_UPROBE_MULTI } from "../../src/abi/program-type.js";
import { zeroed } from "../../src/abi/struct.js";
import type { MapSpec } from "../../src/bpf/object.js";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import type { AttachPoint } from "../../src/language/probe.js";
import { AttachError } from "../../src/load/attach-error.js";
import { KernelAttachPort } from "../../src/load/attach-port.js";
import { AttachTargetError, loadObject } from "../../src/load/loaded-object.js";
import { clearMap, deleteKey, readMap, readValue, takeMap, valueOfCpu, zeroMap } from "../../src/load/map-reader.js";
import { VerifierError } from "../../src/load/verifier-error.js";
import { mapUpdate } from "../../src/sys/map-calls.js";
import type { Sys } from "../../src/sys/sys.js";
import { SyscallError } from "../../src/sys/syscall-error.js";
import { Assembler } from "../support/assemble.js";
import { kernelTest } from "../support/kernel-test.js";
import { addOne, counter, counters, countMe, end, knock, onlyMe, readZeros } from "../support/trial-programs.js";

const hash = (type: number, maxEntries: number): MapSpec => ({
  name: "@h",
  type,
  keySize: 8,
  valueSize: 8,
  maxEntries,
  flags: 0,
});

const prefix = process.arch === "arm64" ? "__arm64_sys" : "__x64_sys";
const killFunction = `${prefix}_kill`;
const closeFunction = `${prefix}_close`;

const key64 = (n: number): Uint8Array<ArrayBuffer> => {
  const bytes = zeroed(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n), true);
  return bytes;
};
const number64 = (bytes: Uint8Array): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));

kernelTest("a program runs once, its cookie is a constant of its own copy", (sys) => {
  const code = new Assembler().loadCookie(7).loadMapValue(1, "counters", 8).atomicAdd(1, 0, 7).movImm(0, 0).exit();
  const begin = code.program({ name: "BEGIN", type: "raw_tracepoint" });
  using loaded = loadObject(sys, { maps: [counters], programs: [begin] }, openKernelView(sys));
  using port = new KernelAttachPort(sys, loaded);
  port.runOnce("BEGIN", 5n);
  port.runOnce("BEGIN", 5n);
  port.runOnce("BEGIN", 1n << 40n);
  assert.equal(counter(sys, loaded, 8), 10 + 2 ** 40);
  assert.equal([...loaded.loadedPrograms()].length, 2);
});

kernelTest("initial contents, frozen", (sys) => {
  const initial = new Uint8Array(64).fill(3);
  using loaded = loadObject(sys, { maps: [{ ...counters, initial, frozen: true }], programs: [] }, openKernelView(sys));
  assert.deepEqual(Buffer.from(readValue(sys, loaded.map("counters"), zeroed(4)) ?? []), Buffer.from(initial));
  assert.throws(() => mapUpdate(sys, loaded.map("counters").fd, zeroed(4), zeroed(64)), SyscallError);
});

kernelTest("tracepoints count exactly, with a cookie, and stop when they are detached", async (sys) => {
  const kernel = openKernelView(sys);
  const format = kernel.tracepoint("syscalls", "sys_enter_kill");
  assert.ok(format !== undefined);
  const code = onlyMe(new Assembler()).mov(1, 6).call("get_attach_cookie").mov(7, 0);
  end(addOne(code, 0).loadMapValue(1, "counters", 8).store(1, 0, 7));
  using loaded = loadObject(
    sys,
    { maps: [counters], programs: [code.program({ name: "tp", type: "tracepoint" })] },
    kernel,
  );
  using port = new KernelAttachPort(sys, loaded);
  const attachment = port.tracepoint("tp", { category: "syscalls", event: "sys_enter_kill", id: format.id }, 42n);
  knock(sys, 100);
  attachment[Symbol.dispose]();
  const counted = counter(sys, loaded, 0);
  knock(sys, 100);
  assert.equal(counted, 100);
  assert.equal(counter(sys, loaded, 0), 100);
  assert.equal(counter(sys, loaded, 8), 42);
  // The event itself is closed behind the program's back.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
});

kernelTest("raw tracepoints with types find their BTF id; an unknown one is reported", (sys, t) => {
  const kernel = openKernelView(sys);
  if (kernel.feature("btfRawTracepoint") !== "yes") return t.skip("no BTF raw tracepoints");
  const spec = { name: "tp_btf", type: "tracing", expectedAttachType: BPF_TRACE_RAW_TP } as const;
  const attachBtf = { name: "btf_trace_sys_enter", kind: "typedef" } as const;
  using loaded = loadObject(sys, { maps: [counters], programs: [countMe(0).program({ ...spec, attachBtf })] }, kernel);
  {
    using port = new KernelAttachPort(sys, loaded);
    port.rawTracepoint("tp_btf", { name: "sys_enter" }, 9n);
    readZeros(10);
  }
  assert.ok(counter(sys, loaded, 0) >= 12);
  const wrong = countMe(0).program({ ...spec, attachBtf: { name: "btf_trace_nothing", kind: "typedef" } });
  assert.throws(() => loadObject(sys, { maps: [counters], programs: [wrong] }, kernel), AttachTargetError);
});

kernelTest("uprobes by offset: one each, and many in one link with cookies", async (sys, t) => {
  const kernel = openKernelView(sys);
  if (kernel.feature("uprobe") !== "yes") return t.skip("no uprobes");
  const path = kernel.findBinary("libc") ?? "";
  const libc = kernel.userFunctions(path);
  assert.ok(!("missing" in libc));
  const offsets = ["getuid", "getgid"].map((name) => libc.find(name)?.fileOffset ?? 0);
  const code = onlyMe(new Assembler()).mov(1, 6).call("get_attach_cookie").loadMapValue(1, "counters", 0);
  end(code.atomicAdd(1, 0, 0));
  const single = code.program({ name: "single", type: "kprobe" });
  const multi = { ...single, name: "multi", expectedAttachType: BPF_TRACE_UPROBE_MULTI };
  using loaded = loadObject(sys, { maps: [counters], programs: [single, multi] }, kernel);
  const work = () => {
    process.getuid?.();
    process.getgid?.();
  };
  {
    using port = new KernelAttachPort(sys, loaded);
    port.uprobe("single", { path, offset: offsets[0] ?? 0, ret: false }, 3n);
    port.uprobe("single", { path, offset: offsets[1] ?? 0, ret: true, pid: process.pid }, 40n);
    work();
  }
  assert.equal(counter(sys, loaded, 0), 43);
  if (kernel.feature("uprobeMulti") === "yes") {
    using port = new KernelAttachPort(sys, loaded);
    const items = [100n, 1000n].map((id) => ({ target: anyTarget, id }));
    const places = offsets.map((offset) => ({ offset }));
    assert.equal(port.uprobeMulti("multi", { path, ret: false, pid: process.pid }, places, items).length, 1);
    work();
    assert.equal(counter(sys, loaded, 0), 1143);
  }
  using port = new KernelAttachPort(sys, loaded);
  assert.throws(
    () => port.uprobe("single", { path: "/nonexistent", offset: 1, ret: false }, 0n),
    (error) => error instanceof AttachError && error.errno === 2 && error.cause instanceof SyscallError,
  );
});

const span = { source: { name: "test", text: "" }, start: 0, end: 0 };
const anyTarget: AttachPoint = {
  name: "any",
  func: "any",
  span,
  probe: "kprobe",
  file: undefined,
  place: { kind: "run", name: undefined },
  byWildcard: true,
};

kernelTest("kprobes: one each, and many in one link", (sys, t) => {
  const kernel = openKernelView(sys);
  if (kernel.feature("kprobe") !== "yes") return t.skip("no kprobes");
  const code = onlyMe(new Assembler()).mov(1, 6).call("get_attach_cookie").loadMapValue(1, "counters", 0);
  end(code.atomicAdd(1, 0, 0));
  const single = code.program({ name: "single", type: "kprobe" });
  const entry = { symbol: killFunction, offset: 0, address: undefined };
  using loaded = loadObject(sys, { maps: [counters], programs: [single] }, kernel);
  {
    using port = new KernelAttachPort(sys, loaded);
    port.kprobe("single", { ...entry, ret: false }, 1n);
    port.kprobe("single", { ...entry, ret: true }, 1000n);
    knock(sys, 5);
  }
  assert.equal(counter(sys, loaded, 0), 5005);
  using port = new KernelAttachPort(sys, loaded);
  assert.throws(() => port.kprobe("single", { ...entry, symbol: "no_such_function", ret: false }, 0n), AttachError);
  if (kernel.feature("kprobeMulti") !== "yes") return;
  const multi = { ...single, name: "multi", expectedAttachType: 42 };
  using many = loadObject(sys, { maps: [counters], programs: [multi] }, kernel);
  {
    using port = new KernelAttachPort(sys, many);
    const items = [1n, 1000n].map((id) => ({ target: anyTarget, id }));
    const places = [killFunction, closeFunction].map((symbol) => ({ ...entry, symbol }));
    assert.equal(port.kprobeMulti("multi", places, "entry", items).length, 1);
    knock(sys, 5);
  }
  assert.equal(counter(sys, many, 0) % 1000, 5);
});

kernelTest("fentry with a cookie", (sys, t) => {
  const kernel = openKernelView(sys);
  if (kernel.feature("fentry") !== "yes") return t.skip("no fentry");
  const code = onlyMe(new Assembler()).mov(1, 6).call("get_attach_cookie").loadMapValue(1, "counters", 0);
  end(code.atomicAdd(1, 0, 0));
  const attachBtf = { name: killFunction, kind: "func" } as const;
  const program = code.program({ name: "fentry", type: "tracing", expectedAttachType: 24, attachBtf });
  using loaded = loadObject(sys, { maps: [counters], programs: [program] }, kernel);
  {
    using port = new KernelAttachPort(sys, loaded);
    port.rawTracepoint("fentry", { name: killFunction }, 7n);
    knock(sys, 5);
  }
  assert.equal(counter(sys, loaded, 0), 35);
});

kernelTest("a clock on each CPU", async (sys) => {
  const kernel = openKernelView(sys);
  const code = end(addOne(new Assembler(), 0)).program({ name: "tick", type: "perf_event" });
  using loaded = loadObject(sys, { maps: [counters], programs: [code] }, kernel);
  using port = new KernelAttachPort(sys, loaded);
  port.perfEvent("tick", { type: 1, config: 0n, sample: { period: 1_000_000n }, cpu: "all" }, 0n);
  port.perfEvent("tick", { type: 1, config: 0n, sample: { frequency: 99n }, cpu: 0 }, 0n);
  while (counter(sys, loaded, 0) < 5) await new Promise((resolve) => setTimeout(resolve, 2));
});

kernelTest("the verifier's refusal names the instruction and its place in the script", (sys) => {
  const source = { name: "stdin", text: "BEGIN { bad }" };
  const span = { source, start: 8, end: 11 };
  const code = new Assembler().movImm(1, 0).load(2, 1, 0).movImm(0, 0).exit();
  const bad = code.program({ name: "bad", type: "raw_tracepoint", spans: [undefined, span, undefined, undefined] });
  assert.throws(
    () => loadObject(sys, { maps: [counters], programs: [bad] }, openKernelView(sys)),
    (error) => {
      assert.ok(error instanceof VerifierError);
      assert.equal(error.program, "bad");
      assert.equal(error.instruction, 1);
      assert.equal(error.span, span);
      assert.match(error.reason, /R1 invalid mem access/);
      assert.match(error.log, /processed \d+ insns/);
      return true;
    },
  );
});

function fill(sys: Sys, map: { readonly fd: Parameters<typeof mapUpdate>[1] }, count: number, value: Uint8Array): void {
  for (let i = 0; i < count; i++) mapUpdate(sys, map.fd, key64(i), value);
}

kernelTest("maps are read whole, taken, cleared and zeroed", (sys) => {
  const kernel = openKernelView(sys);
  const count = 3000;
  using loaded = loadObject(sys, { maps: [hash(BPF_MAP_TYPE_HASH, 4096)], programs: [] }, kernel);
  const map = loaded.map("@h");
  assert.deepEqual(readMap(sys, map), []);
  fill(sys, map, count, key64(7));
  const keys = new Set(readMap(sys, map).map((entry) => number64(entry.key)));
  assert.equal(keys.size, count);
  assert.ok(readMap(sys, map).every((entry) => number64(entry.value) === 7));
  zeroMap(sys, map);
  assert.ok(readMap(sys, map).every((entry) => number64(entry.value) === 0));
  assert.equal(deleteKey(sys, map, key64(1)), true);
  assert.equal(deleteKey(sys, map, key64(1)), false);
  assert.equal(takeMap(sys, map).length, count - 1);
  assert.deepEqual(readMap(sys, map), []);
  fill(sys, map, 5, key64(7));
  clearMap(sys, map);
  assert.equal(readValue(sys, map, key64(3)), undefined);
});

kernelTest("a full map of one bucket, and per-CPU values", (sys) => {
  const kernel = openKernelView(sys);
  using small = loadObject(sys, { maps: [hash(BPF_MAP_TYPE_HASH, 1)], programs: [] }, kernel);
  fill(sys, small.map("@h"), 1, key64(1));
  assert.equal(readMap(sys, small.map("@h")).length, 1);
  using loaded = loadObject(
    sys,
    { maps: [{ ...hash(BPF_MAP_TYPE_PERCPU_HASH, 16), valueSize: 12 }], programs: [] },
    kernel,
  );
  const map = loaded.map("@h");
  const value = zeroed(16 * kernel.possibleCpus);
  for (let cpu = 0; cpu < kernel.possibleCpus; cpu++) value.fill(cpu + 1, 16 * cpu, 16 * cpu + 12);
  fill(sys, map, 10, value);
  const entries = readMap(sys, map);
  assert.equal(entries.length, 10);
  for (const entry of entries) {
    for (let cpu = 0; cpu < kernel.possibleCpus; cpu++) {
      assert.deepEqual([...valueOfCpu(map, entry.value, cpu)], Array(12).fill(cpu + 1));
    }
  }
});

kernelTest("maps that cannot be read in batches are read one by one", (sys) => {
  const stacks: MapSpec = {
    name: "stacks",
    type: BPF_MAP_TYPE_STACK_TRACE,
    keySize: 4,
    valueSize: 8 * 16,
    maxEntries: 64,
    flags: 0,
  };
  const code = onlyMe(new Assembler()).mov(1, 6).loadMap(2, "stacks").movImm(3, 0).call("get_stackid");
  const program = end(code).program({ name: "stack", type: "raw_tracepoint" });
  using loaded = loadObject(sys, { maps: [stacks], programs: [program] }, openKernelView(sys));
  {
    using port = new KernelAttachPort(sys, loaded);
    port.rawTracepoint("stack", { name: "sys_enter" }, 0n);
    readZeros(3);
  }
  assert.ok(readMap(sys, loaded.map("stacks")).length > 0);
});

kernelTest("a map is read while a program adds and deletes keys", (sys) => {
  // Every system call makes key r and deletes key r - 64, r a counter: the map never has more than 64 keys.
  const code = onlyMe(new Assembler());
  code.loadMapValue(8, "counters", 0).load(7, 8, 0).mov(1, 7).addImm(1, 1).store(8, 0, 1).store(10, -8, 7);
  code.loadMap(1, "@h").mov(2, 10).addImm(2, -8).mov(3, 2).movImm(4, 0).call("map_update_elem");
  code.addImm(7, -64).store(10, -8, 7).loadMap(1, "@h").mov(2, 10).addImm(2, -8).call("map_delete_elem");
  const program = end(code).program({ name: "churn", type: "raw_tracepoint" });
  using loaded = loadObject(
    sys,
    { maps: [counters, hash(BPF_MAP_TYPE_HASH, 128)], programs: [program] },
    openKernelView(sys),
  );
  using port = new KernelAttachPort(sys, loaded);
  port.rawTracepoint("churn", { name: "sys_enter" }, 0n);
  readZeros(200);
  for (let i = 0; i < 50; i++) {
    const entries = readMap(sys, loaded.map("@h"));
    assert.ok(entries.length >= 32 && entries.length <= 128, `${entries.length}`);
    for (const { key, value } of entries) assert.deepEqual(Buffer.from(key), Buffer.from(value));
  }
  assert.ok(takeMap(sys, loaded.map("@h")).length > 0);
});

kernelTest("what cannot be loaded leaves nothing behind", (sys) => {
  const map = { ...counters, name: "second", type: 0xffff };
  assert.throws(
    () => loadObject(sys, { maps: [counters, map], programs: [] }, openKernelView(sys)),
    (error) => error instanceof SyscallError && error.code === "EINVAL" && /second/.test(error.message),
  );
});
