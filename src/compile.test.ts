import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript, compileText, complaints } from "../test/support/compile-script.js";
import { FixtureKernel } from "../test/support/fixture-kernel.js";

const script = 'kprobe:vfs_read /pid > 1/ { @[comm] = count(); printf("%s\\n", str(arg1)); } END { clear(@); }';

test("each stage says what it made, in order", () => {
  const stages: string[] = [];
  const texts: string[] = [];
  compileScript(script, {
    dump: (stage, title, text) => {
      stages.push(`${stage} ${title}`);
      texts.push(text);
    },
  });
  assert.deepEqual(stages, [
    "ast test",
    "types test",
    "ir kprobe_vfs_read_1 as lowered",
    "ir kprobe_vfs_read_1",
    "bytecode kprobe_vfs_read_1",
    "ir end_2 as lowered",
    "ir end_2",
    "bytecode end_2",
    "unit test",
  ]);
  assert.match(texts[0] ?? "", /^probe kprobe:vfs_read\n {2}predicate: binary op=">"\n {4}left: name name="pid"\n/);
  assert.match(
    texts[1] ?? "",
    /^map @\[string\[16\]\]: count\nprogram kprobe_vfs_read_1 \(kprobe\) for 1 attach point\n/,
  );
  assert.match(texts[2] ?? "", /^program "kprobe_vfs_read_1" \{\n/);
  assert.match(texts[4] ?? "", /call/);
});

test("every instruction of the script's own work knows its place", () => {
  const { object } = compileScript(script);
  const [program] = object.programs;
  const spans = program?.spans.filter((span) => span !== undefined) ?? [];
  assert.equal(program?.spans.length, (program?.code.length ?? 0) / 8);
  const texts = new Set(spans.map(({ source, start, end }) => source.text.slice(start, end)));
  for (const text of ["pid", "comm", "@[comm] = count()", "str(arg1)"])
    assert.ok(texts.has(text), [...texts].join(" | "));
});

test("maps: the script's, then those that programs need", () => {
  const names = (text: string): string[] => compileScript(text).object.maps.map((map) => map.name);
  assert.deepEqual(names("BEGIN { }"), ["loss"]);
  assert.deepEqual(names("BEGIN { @b = 1; @a[1] = 2; }"), ["@b", "@a", "loss", "zero"]);
  assert.deepEqual(names("BEGIN { print(elapsed); @[kstack(5)] = count(); }"), [
    "@",
    "events",
    "loss",
    "zero",
    "start",
    "stacks5",
    "more_stacks5",
  ]);
  assert.deepEqual(names("kprobe:vfs_read { $s = str(arg0); print($s); }"), ["events", "loss", "scratch"]);
  assert.ok(names("tracepoint:syscalls:sys_enter_* { @ = count() }").includes("syscalls0"));
});

test("stacks have room for as many as maps can hold, filled beforehand where that is little", () => {
  const room = (text: string): readonly unknown[] => {
    const map = compileScript(text).object.maps.find(({ name }) => name === "more_stacks5");
    return [map?.maxEntries, map?.flags];
  };
  const onDemand = 1;
  assert.deepEqual(room("BEGIN { print(kstack(5)); }"), [undefined, undefined]);
  assert.deepEqual(room("BEGIN { @s = kstack(5); }"), [8192, 0]);
  assert.deepEqual(room("BEGIN { @[kstack(5)] = count(); @a[kstack(4)] = 1; }"), [8192, 0]);
  const many = "config = { max_map_keys = 10000 } ";
  assert.deepEqual(room(`${many} BEGIN { @[kstack(5)] = count(); @a[kstack(4)] = 1; }`), [10000, onDemand]);
  assert.deepEqual(room(`${many} BEGIN { @[kstack(5), (1, kstack(5))] = kstack(5); @s = kstack(5); }`), [
    30001,
    onDemand,
  ]);
  assert.deepEqual(room("let @ = hash(9000); BEGIN { @[1] = kstack(5); }"), [9000, onDemand]);
  assert.deepEqual(room("let @ = hash(3000000000); BEGIN { @[kstack(5)] = 1; }"), [1048576, onDemand]);
});

test("without optimisation the same maps and records come out", () => {
  const [fast, slow] = [true, false].map((optimize) => compileScript(script, { optimize }));
  assert.deepEqual(fast?.object.maps, slow?.object.maps);
  assert.deepEqual(fast?.records, slow?.records);
  assert.ok((fast?.object.programs[0]?.code.length ?? 0) <= (slow?.object.programs[0]?.code.length ?? 0));
});

test("records are plain data", () => {
  const { records } = compileScript(
    `kprobe:vfs_read { printf("%s %d %s", str(arg1), pid, kstack); print((comm, 1)); print(@[1]); @[1] = count();
      @s[comm] = (1, "a"); print(@s[comm]); print(@s); clear(@s); time("%H"); join(arg0); errorf("%r", buf(arg1, 4));
      print(strftime("%H", nsecs)); print(1 / (pid - 1)); system("true"); cat("/dev/null"); exit(3); }`,
    { unsafe: true, checkHelpers: true },
  );
  assert.ok(records.length > 14);
  assert.deepEqual(structuredClone(records), records);
});

test("settings from outside win over those of the script", () => {
  const text = "config = { max_strlen = 64; max_map_keys = 7 } BEGIN { @[1] = 1 }";
  assert.equal(compileScript(text).config.max_strlen, 64);
  const { config, object } = compileScript(text, { settings: { max_strlen: "32", unknown: "x" } });
  assert.deepEqual([config.max_strlen, config.max_map_keys], [32, 7]);
  assert.equal(object.maps[0]?.maxEntries, 7);
});

test("positional parameters in attach points", () => {
  const { script: typed } = compileScript("kprobe:$1 { @[$2] = count() } profile:hz:$3 { }", {
    positional: ["vfs_read", "x", "99"],
  });
  assert.deepEqual(
    typed.targets.map((target) => target.name),
    ["kprobe:vfs_read", "profile:hz:99"],
  );
});

test("attach points that need different programs get them; the others share one", () => {
  const names = (text: string): string[] => compileScript(text).object.programs.map((program) => program.type);
  assert.deepEqual(names("kprobe:vfs_read, kprobe:vfs_write, profile:hz:9 { @++ }"), ["kprobe", "perf_event"]);
  assert.deepEqual(names("k*:vfs_read { @++ }"), ["kprobe", "kprobe"]);
  assert.deepEqual(
    names("tracepoint:sched:sched_process_exit, tracepoint:sched:sched_wakeup { print(args.pid) }").length,
    2,
  );
});

test("values that do not fit the stack of a program", () => {
  const many = Array.from({ length: 80 }, (_, i) => i);
  const body = `${many.map((i) => `$v${i} = nsecs;`).join(" ")} ${many.map((i) => `@ = $v${i};`).join(" ")}`;
  assert.deepEqual(complaints(`BEGIN { ${body} }`), [`error stack-overflow 'BEGIN { ${body} }'`]);
});

test("nothing is compiled after the first stage with errors, but warnings stay", () => {
  const { unit, diagnostics, suppressed } = compileText(`BEGIN { 5; ${"x(); ".repeat(30)} }`);
  assert.equal(unit, undefined);
  assert.deepEqual([diagnostics.length, suppressed], [21, 10]);
  const warned = compileText("BEGIN { 5; @x = @y; }");
  assert.deepEqual([warned.unit !== undefined, warned.diagnostics.length], [true, 2]);
});

test("older kernels: no attach cookie, no BTF, no BPF of version 4", () => {
  for (const kernel of [
    new FixtureKernel({ features: { attachCookie: "no", kprobeMulti: "no" } }),
    new FixtureKernel({ withoutBtf: "none", features: { btf: "no", btfRawTracepoint: "no" } }),
    new FixtureKernel({ features: { cpuV4: "no", rawTracepointCookie: "no" } }),
    new FixtureKernel({ arch: "arm64" }),
  ]) {
    compileScript(
      'kprobe:vfs_* { @[func, probe] = hist(arg0 / (int64)arg1); } tracepoint:syscalls:sys_enter_openat { printf("%s", str(args.filename)); }',
      { kernel },
    );
  }
});

/** Features that a script asks the kernel for. */
function asked(text: string): readonly string[] {
  const names = new Set<string>();
  const kernel = new FixtureKernel();
  const feature = kernel.feature.bind(kernel);
  kernel.feature = (name) => {
    names.add(name);
    return feature(name);
  };
  compileScript(text, { kernel });
  return [...names].sort();
}

test("the kernel is asked for nothing that the script does not need", () => {
  assert.deepEqual(asked('begin { printf("hello\\n"); exit(); }'), []);
  assert.deepEqual(asked("interval:s:1 { @ = count(); }"), []);
  assert.deepEqual(asked("kprobe:vfs_read { @[comm] = count(); }"), ["kprobe"]);
  assert.deepEqual(asked("t:raw_syscalls:sys_enter { @[pid] = count(); }"), ["rawTracepointUnpreempted"]);
  assert.deepEqual(asked("begin { for ($i : 0..1000) { @ += $i; } }"), ["bpfLoop"]);
});
