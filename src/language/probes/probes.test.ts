import assert from "node:assert/strict";
import { test } from "node:test";
import { type BindOptions, bindProbe } from "../../../test/support/bind-probe.js";
import { FixtureKernel, type FixtureOptions } from "../../../test/support/fixture-kernel.js";
import { Diagnostics } from "../../base/diagnostics.js";
import { type AttachPlace, placeAs } from "../attach-place.js";
import type { ActionFacts, Candidate } from "../probe.js";
import { findProbe } from "./index.js";

const nothing: ActionFacts = {
  usesArgs: false,
  usesKernelStack: false,
  usesArgN: false,
  numberedArguments: [],
  usesTypedArgs: false,
  usesTypeNames: false,
  overrides: false,
};

interface Options extends FixtureOptions {
  readonly facts?: Partial<ActionFacts>;
  readonly pid?: number;
  readonly unsafe?: boolean;
}

/** What an attach point means; nothing may be wrong with it. */
function bind(text: string, options: Options = {}, kernel = new FixtureKernel(options)): readonly Candidate[] {
  const [provider = "", ...parts] = text.split(":");
  const diags = new Diagnostics();
  const span = { source: { name: "test", text }, start: 0, end: text.length };
  const facts = { ...nothing, ...options.facts };
  const { pid, unsafe = false } = options;
  const context = { kernel, diags, span, written: text, facts, pid, missing: "error", unsafe, beside: [] } as const;
  const found = findProbe(provider)?.bind(parts, context);
  assert.deepEqual(diags.list, []);
  assert.ok(found, `no probe type ${provider}`);
  return found;
}

const only = (text: string, options: Options = {}): Candidate => {
  const [first, ...others] = bind(text, options);
  assert.ok(first !== undefined && others.length === 0);
  return first;
};

test("begin and end, in capitals too", () => {
  assert.deepEqual(
    ["begin", "BEGIN", "end", "END"].map((name) => only(name).name),
    ["begin", "begin", "end", "end"],
  );
});

test("periods of interval and profile", () => {
  const second = 1_000_000_000n;
  const cases: Readonly<Record<string, unknown>> = {
    "interval:s:5": { period: 5n * second },
    "interval:ms:10": { period: 10_000_000n },
    "i:us:100": { period: 100_000n },
    "interval:hz:99": { frequency: 99n },
    "interval:1s": { period: second },
    "interval:100ms": { period: 100_000_000n },
    "interval:1000000": { period: 1_000_000n },
    "profile:hz:1e2": { frequency: 100n },
    "p:s:1_0": { period: 10n * second },
  };
  for (const [text, sample] of Object.entries(cases)) {
    const place = placeAs(only(text).place, "perf-event").event;
    assert.deepEqual([place.sample, place.type, place.config], [sample, 1, 0n], text);
  }
});

test("functions that only choose others are told", () => {
  const told = (text: string) => bindProbe(text).messages;
  const what = "a probe sees it choose the function that a program will call, and not the calls";
  assert.deepEqual(told("uprobe:/fixture/symbols:chosen"), [`chosen is indirect: ${what}`]);
  assert.deepEqual(told("uretprobe:/fixture/symbols:lonely"), [`lonely is indirect: ${what}`]);
  assert.deepEqual(told("uprobe:/fixture/symbols:*[nl]*"), [`2 of the functions are indirect, like chosen: ${what}`]);
  assert.deepEqual(told("uprobe:/fixture/symbols:__chosen_*"), []);
});

test("periods that the kernel's timers cannot keep are told", () => {
  const told = ["the kernel fires this no more than 50000 times a second, and leaves out the rest"];
  for (const text of ["profile:us:2", "interval:2us", "software:cpu-clock:2000", "software:task-clock:2000"])
    assert.deepEqual(bindProbe(text).messages, told, text);
  for (const text of ["profile:us:20", "interval:hz:100000", "software:cpu-clock:20000", "software:faults:1"])
    assert.deepEqual(bindProbe(text).messages, [], text);
  // Where nothing is left out, the timers themselves have a shortest period.
  assert.deepEqual(bindProbe("profile:us:9", { maxSampleRate: 1_000_000 }).messages, [
    "the kernel's timers fire every 10 us at most, and so will this",
  ]);
});

test("an interval fires on one processor, profile on all; whose task it is the program looks at", () => {
  assert.deepEqual(pick(only("interval:s:1", { pid: 5 }).place), { cpu: 0, pid: undefined });
  assert.deepEqual(pick(only("profile:hz:99", { pid: 5 }).place), { cpu: "all", pid: undefined });
  function pick(place: AttachPlace): unknown {
    const { cpu, pid } = placeAs(place, "perf-event").event;
    return { cpu, pid };
  }
});

test("events that are counted for one process have a program each", () => {
  const [one, other] = [only("software:page-faults:1", { pid: 5 }), only("software:cs:1", { pid: 5 })];
  assert.equal(placeAs(one.place, "perf-event").event.pid, 5);
  assert.notEqual(one.variant.key, other.variant.key);
  assert.equal(only("software:page-faults:1").variant.key, only("software:cs:1").variant.key);
});

test("software and hardware events, by either name, with and without a count", () => {
  // Numbers: uapi/linux/perf_event.h, enum perf_sw_ids and perf_hw_id.
  const cases: Readonly<Record<string, readonly [type: number, config: bigint, period: bigint, name: string]>> = {
    "software:page-faults:10": [1, 2n, 10n, "software:page-faults:10"],
    "s:faults:": [1, 2n, 100n, "software:faults:"],
    "software:cs": [1, 3n, 1000n, "software:cs"],
    "software:cpu-clock:1e6": [1, 0n, 1_000_000n, "software:cpu-clock:1e6"],
    "hardware:cache-misses:1000": [0, 3n, 1000n, "hardware:cache-misses:1000"],
    "h:cycles:": [0, 0n, 1_000_000n, "hardware:cycles:"],
  };
  for (const [text, [type, config, period, name]] of Object.entries(cases)) {
    const found = only(text);
    const place = placeAs(found.place, "perf-event").event;
    assert.deepEqual([place.type, place.config, place.sample, found.name], [type, config, { period }, name], text);
  }
  assert.deepEqual(
    bind("software:*-faults:1").map((found) => found.name),
    ["alignment", "emulation", "major", "minor", "page"].map((kind) => `software:${kind}-faults:1`),
  );
});

test("a tracepoint's record is only attached to if the action looks at it", () => {
  const variant = (facts: Partial<ActionFacts>, options: Options = {}) =>
    only("tracepoint:sched:sched_switch", { ...options, facts }).variant;
  assert.equal(variant({}).type, "raw_tracepoint");
  assert.equal(variant({ usesArgs: true }).type, "tracepoint");
  assert.equal(variant({ usesKernelStack: true }).type, "tracepoint");
  const names = (variant({ usesArgs: true }).args ?? []).map((field) => field.name);
  assert.ok(names.includes("prev_comm") && names.includes("next_pid"), names.join());
});

test("system calls go through the raw tracepoint if there is BTF, all in one program", () => {
  const found = bind("tracepoint:syscalls:sys_enter_*");
  assert.equal(new Set(found.map((candidate) => candidate.variant.key)).size, 1);
  assert.ok(found.length > 5);
  const openat = only("tracepoint:syscalls:sys_enter_openat", { facts: { usesArgs: true } });
  const { context, type, args = [] } = openat.variant;
  assert.ok(context.kind === "syscall" && !context.exit);
  assert.deepEqual([type, [...context.numbers.keys()]], ["tracing", [257]]);
  assert.deepEqual(
    args.map(({ name, source }) => `${name}: ${source.kind} ${"index" in source ? source.index : ""}`.trim()),
    [
      "__syscall_nr: syscall-number",
      "dfd: syscall-arg 0",
      "filename: syscall-arg 1",
      "flags: syscall-arg 2",
      "mode: syscall-arg 3",
    ],
  );
  const without = only("tracepoint:syscalls:sys_enter_openat", {
    features: { btfRawTracepoint: "no" },
    facts: { usesArgs: true },
  });
  assert.equal(without.variant.type, "tracepoint");
  const arm = only("tracepoint:syscalls:sys_enter_openat", { arch: "arm64" }).variant.context;
  assert.ok(arm.kind === "syscall");
  assert.deepEqual([...arm.numbers.keys()], [56]);
});

test("where raw tracepoints are preempted, and so lose events, records are used", () => {
  const features = { rawTracepointUnpreempted: "no" } as const;
  const exact = only("tracepoint:syscalls:sys_enter_openat", { features });
  assert.deepEqual([exact.variant.type, exact.variant.context.kind], ["tracepoint", "syscall"]);
  assert.equal(only("tracepoint:sched:sched_switch", { features }).variant.type, "tracepoint");
  const [one] = bind("tracepoint:syscalls:sys_exit_*", { features });
  const { context, type } = one?.variant ?? {};
  assert.ok(context?.kind === "syscall" && context.exit && context.form === "record");
  assert.equal(type, "tracepoint");
});

test("wildcards in both parts of a tracepoint", () => {
  assert.deepEqual(
    bind("tracepoint:sched:sched_process_*").map((found) => found.name),
    ["exec", "exit", "fork", "free"].map((what) => `tracepoint:sched:sched_process_${what}`),
  );
  assert.deepEqual(
    bind("t:s*:*_sw[ix]tch").map((found) => found.name),
    ["tracepoint:sched:sched_switch"],
  );
});

test("raw tracepoints with the types of their arguments", () => {
  const { name, variant } = only("rawtracepoint:sched_switch", { facts: { usesArgs: true } });
  assert.equal(name, "rawtracepoint:vmlinux:sched_switch");
  assert.deepEqual(
    (variant.args ?? []).map((field) => `${field.name} ${field.type.kind}`),
    ["preempt bool", "prev pointer", "next pointer", "prev_state int"],
  );
  assert.equal(only("rt:vmlinux:kfree").func, "kfree");
  assert.equal(only("rt:kfree", { withoutBtf: "none" }).variant.args, undefined);
  // Of a module: by its name, by a pattern, or where the kernel has none of the name.
  for (const text of ["rt:fixture:fixture_event", "rt:fix*:f*", "rt:fixture_event"])
    assert.deepEqual(
      [only(text).name, only(text).variant.type],
      ["rawtracepoint:fixture:fixture_event", "raw_tracepoint"],
    );
  const missing = bindProbe("rawtracepoint:nonsense:kfree").messages;
  assert.match(
    missing.join(),
    /No matches for rawtracepoint nonsense:kfree.*there is no raw tracepoint .kfree. in nonsense/,
  );
});

test("what -lv says of kernel functions: their arguments, by type information", () => {
  const kernel = new FixtureKernel({});
  for (const name of ["kprobe:vfs_fsync", "kprobe:vmlinux:vfs_fsync"])
    assert.deepEqual(findProbe("kprobe")?.describe?.(name, kernel), ["struct file * file", "int datasync"]);
  assert.deepEqual(findProbe("kprobe")?.describe?.("kprobe:nonsense", kernel), []);
  assert.equal(findProbe("kretprobe")?.describe, undefined);
});

test("kernel functions: names, offsets, wildcards, one link for many", () => {
  assert.deepEqual(only("kprobe:vfs_read").place, {
    kind: "kernel",
    symbol: "vfs_read",
    offset: 0,
    address: undefined,
    inFtrace: "vfs_read",
  });
  assert.deepEqual(only("k:vfs_read+0x10"), {
    ...only("kprobe:vfs_read"),
    name: "kprobe:vfs_read+16",
    place: { kind: "kernel", symbol: "vfs_read", offset: 16, address: undefined, inFtrace: undefined },
  });
  const many = bind("kprobe:vfs_*");
  assert.deepEqual(
    many.map((found) => found.func),
    ["vfs_create", "vfs_fsync", "vfs_open", "vfs_read", "vfs_unlink", "vfs_write"],
  );
  assert.deepEqual([...new Set(many.map((found) => found.variant.key))], ["kprobe:multi"]);
  assert.equal(bind("kprobe:vfs_*", { features: { kprobeMulti: "no" } })[0]?.variant.key, "kprobe");
  assert.equal(only("kretprobe:vfs_read").variant.hasArgN, false);
  assert.notEqual(only("kretprobe:vfs_read").variant.retval, undefined);
});

test("functions of programs: by name, wildcard, offset, address", () => {
  const twice = only("uprobe:/fixture/tiny:twice");
  assert.deepEqual([twice.name, twice.func], ["uprobe:/fixture/tiny:twice", "twice"]);
  const { offset } = placeAs(twice.place, "user").place;
  assert.deepEqual(placeAs(only("u:/fixture/tiny:twice+6").place, "user").place, {
    path: "/fixture/tiny",
    offset: offset + 6,
    pid: undefined,
  });
  assert.equal(twice.variant.key, "uprobe:multi");
  // An address is one in memory, and not the same as an offset in the file.
  const listed = new FixtureKernel().userFunctions("/fixture/tiny");
  const known = "missing" in listed ? undefined : listed.find("twice");
  assert.ok(known !== undefined && known.address !== BigInt(offset));
  const at = only(`u:/fixture/tiny:0x${(known.address + 9n).toString(16)}`);
  assert.deepEqual(placeAs(at.place, "user").place, { path: "/fixture/tiny", offset: offset + 9, pid: undefined });
  assert.equal(at.func, "twice");
  assert.equal(only("uprobe:/fixture/tiny:twice", { pid: 7 }).variant.key, "uprobe:multi");
  assert.equal(
    only("uprobe:/fixture/tiny:twice", { pid: 7, features: { uprobeMultiProcess: "no" } }).variant.key,
    "uprobe",
  );
  const all = bind("uretprobe:/fixture/tiny:*").map((found) => placeAs(found.place, "user").place.offset);
  assert.equal(new Set(all).size, all.length, "an address with two names is one probe");
});

test("usdt: one probe, a program for each way that its arguments are passed", () => {
  const twice = (facts: Partial<ActionFacts>) => bind("usdt:/fixture/probes:twice", { facts })[0]!;
  assert.equal(twice({}).name, "usdt:/fixture/probes:first:twice");
  assert.equal(twice({}).otherVariants?.length, 0, "without arguments one serves all places");
  const used = twice({ usesArgN: true, numberedArguments: [0] });
  const variants = [used.variant, ...(used.otherVariants ?? [])];
  assert.deepEqual(
    variants.map((variant) => variant.numbered?.map(({ text }) => text)),
    [["-4@%edi"], ["8@$7"]],
  );
  assert.equal(new Set(variants.map(({ key }) => key)).size, 2);
  const { places } = placeAs(used.place, "usdt");
  assert.deepEqual(
    Object.keys(places),
    variants.map(({ key }) => key),
  );
  assert.equal(
    new Set(
      Object.values(places)
        .flat()
        .map(({ offset }) => offset),
    ).size,
    2,
  );
});

test("usdt: patterns of file, provider and name, and the counters of the files", () => {
  const names = (text: string, options?: Options) => bind(text, options).map(({ name }) => name);
  assert.equal(names("usdt:/fixture/probes:*").length, 8);
  assert.deepEqual(names("usdt:/fixture/probes*:sec*:co*"), [
    ...["constants", "counted"].map((name) => `usdt:/fixture/probes:second:${name}`),
    ...["constants", "counted"].map((name) => `usdt:/fixture/probes.pie:second:${name}`),
  ]);
  const counted = bind("U:/fixture/probes:counted")[0]!;
  const [place] = Object.values(placeAs(counted.place, "usdt").places).flat();
  assert.equal(place?.refCounter, 0x260);
  assert.match(counted.variant.key, /:multi$/);
  const [alone] = bind("usdt:/fixture/probes:counted", { pid: 7, features: { uprobeMultiProcess: "no" } });
  assert.doesNotMatch(alone?.variant.key ?? "", /:multi$/);
});

test("uprobes where no instruction need begin are refused, unless somebody insists", () => {
  const said = (text: string, options: BindOptions = {}) => bindProbe(text, options).messages;
  assert.deepEqual(said("uprobe:/fixture/tiny:10"), [
    "Could not resolve address: /fixture/tiny:0xa",
    "no function is there",
  ]);
  assert.deepEqual(said("uprobe:/fixture/tiny:10", { unsafe: true }), []);
  assert.match(
    said("uprobe:/fixture/tiny:twice+1000")[0]!,
    /^Offset outside the function bounds \('twice' size is \d+\)$/,
  );
  assert.match(said("uprobe:/fixture/tiny:twice+1000", { unsafe: true })[0]!, /outside/);
  // Written in assembler, without a size.
  assert.match(
    said("uprobe:/fixture/probes:endless")[0]!,
    /^Could not determine boundary for endless \(symbol has size 0\)/,
  );
  assert.deepEqual(said("uprobe:/fixture/probes:endless", { unsafe: true }), []);
  assert.deepEqual(said("uprobe:/fixture/probes:endl*"), []);
  assert.match(said("uretprobe:/fixture/tiny:twice+4")[0]!, /uretprobes cannot be attached at an offset/);
  assert.match(said("uprobe:/fixture/tiny.c:0x10").join(), /cannot be probed: .* no ELF file/);
  assert.equal(bindProbe("uprobe:/fixture/tiny.c:0x10", { unsafe: true }).candidates.length, 1);
});
