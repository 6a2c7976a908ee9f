// What is said about attach points and settings.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText, complaints, renderBrief, type ScriptOptions } from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { listedFunctions } from "../../test/support/listed-functions.js";
import { KernelFunctions } from "../language/kernel-functions.js";

/** Script, what it is told, and what it is compiled with. */
type Case = readonly [script: string, told: readonly string[], options?: ScriptOptions];

const cases: readonly Case[] = [
  ["kprob:vfs_read { }", ["error unknown-probe-type 'kprob': there is no probe type 'kprob' | did you mean 'kprobe'?"]],
  [
    "kprobe:vfs_raed { }",
    [
      `warning not-traceable 'kprobe:vfs_raed': vfs_raed is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail`,
      "error unknown-probe 'kprobe:vfs_raed': No matches for kprobe vfs_raed. | did you mean 'vfs_read'? | there is no function 'vfs_raed' that can be traced: it may be called otherwise here, or inlined into its callers",
      "error no-attach-points 'kprobe:vfs_raed { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "kprobe:blk_account_io_completion { }",
    [
      `warning not-traceable 'kprobe:blk_account_io_completion': blk_account_io_completion is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail`,
      "error unknown-probe 'kprobe:blk_account_io_completion': No matches for kprobe blk_account_io_completion. | Newer kernels have the tracepoint tracepoint:block:block_rq_complete. | there is no function 'blk_account_io_completion' that can be traced: it may be called otherwise here, or inlined into its callers",
      "error no-attach-points 'kprobe:blk_account_io_completion { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "kprobe { }",
    [
      "error bad-attach-point 'kprobe': 'kprobe' names no function | it is written kprobe:FUNCTION[+OFFSET] or kprobe:MODULE:FUNCTION[+OFFSET] or kprobe:ADDRESS",
    ],
  ],
  [
    "kprobe:a:b:c { }",
    [
      "error bad-attach-point 'kprobe:a:b:c': 'kprobe:a:b:c' names no function | it is written kprobe:FUNCTION[+OFFSET] or kprobe:MODULE:FUNCTION[+OFFSET] or kprobe:ADDRESS",
    ],
  ],
  [
    "kretprobe:vfs_read+5 { }",
    [
      "error bad-attach-point 'kretprobe:vfs_read+5': 'vfs_read+5' is no function or function+offset | it is written kretprobe:FUNCTION or kretprobe:MODULE:FUNCTION",
    ],
  ],
  [
    "kprobe:zzz* { }",
    [
      "warning unknown-probe 'kprobe:zzz*': No matches for kprobe zzz*. Skipping. | no function that can be traced matches 'zzz*'",
      "error no-attach-points 'kprobe:zzz* { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "kprobe:vfs_read { }",
    [
      "error unknown-probe 'kprobe:vfs_read': No matches for kprobe vfs_read. | a tracepoint may do: beetrace -l 'tracepoint:*' | this kernel has no kprobes (CONFIG_KPROBES is off)",
      "error no-attach-points 'kprobe:vfs_read { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
    { kernel: new FixtureKernel({ features: { kprobe: "no" } }) },
  ],
  [
    "kprobe:vfs_* { }",
    ["error no-function-list 'kprobe:vfs_*': the kernel's functions cannot be listed: no list"],
    { kernel: new FixtureKernel({ withoutFunctions: "no list" }) },
  ],
  ["kprobe:vfs_read { }", [], { kernel: new FixtureKernel({ withoutFunctions: "no list" }) }],
  [
    "tracepoint:sched:sched_swich { }",
    [
      "error unknown-probe 'tracepoint:sched:sched_swich': No matches for tracepoint sched:sched_swich. | did you mean 'sched:sched_switch'? beetrace -l 'tracepoint:sched:*' lists what there is. | there is no tracepoint 'tracepoint:sched:sched_swich'",
      "error no-attach-points 'tracepoint:sched:sched_swich { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "tracepoint:schedd:sched_wake* { }",
    [
      "warning unknown-probe 'tracepoint:schedd:sched_wake*': No matches for tracepoint schedd:sched_wake*. Skipping. | beetrace -l 'tracepoint:*' lists what there is. | there is no tracepoint 'tracepoint:schedd:sched_wake*'",
      "error no-attach-points 'tracepoint:schedd:sched_wake* { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "tracepoint:sched { }",
    [
      "error bad-attach-point 'tracepoint:sched': 'tracepoint:sched' is no tracepoint | it is written tracepoint:CATEGORY:EVENT",
    ],
  ],
  [
    "tracepoint:nope:* { }",
    [
      "warning unknown-probe 'tracepoint:nope:*': No matches for tracepoint nope:*. Skipping. | beetrace -l 'tracepoint:*' lists what there is. | there is no tracepoint 'tracepoint:nope:*'",
      "error no-attach-points 'tracepoint:nope:* { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "tracepoint:sched:sched_switch { }",
    ["error no-tracefs 'tracepoint:sched:sched_switch': tracepoints cannot be listed: not mounted"],
    { kernel: new FixtureKernel({ withoutTracefs: "not mounted" }) },
  ],
  [
    "rawtracepoint:sched_swich { }",
    [
      "error unknown-probe 'rawtracepoint:sched_swich': No matches for rawtracepoint sched_swich. | did you mean 'sched_switch'? beetrace -l 'rawtracepoint:*' lists what there is. | there is no raw tracepoint 'sched_swich'",
      "error no-attach-points 'rawtracepoint:sched_swich { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "rawtracepoint { }",
    [
      "error bad-attach-point 'rawtracepoint': 'rawtracepoint' is no raw tracepoint | it is written rawtracepoint:EVENT or rawtracepoint:MODULE:EVENT",
    ],
  ],
  [
    "uprobe:/fixture/nope:main { }",
    [
      "error unknown-probe 'uprobe:/fixture/nope:main': No matches for uprobe /fixture/nope:main. | /fixture/nope cannot be probed: there is no program or library '/fixture/nope'",
      "error no-attach-points 'uprobe:/fixture/nope:main { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "uprobe:/fixture/tiny { }",
    [
      "error bad-attach-point 'uprobe:/fixture/tiny': 'uprobe:/fixture/tiny' names no function of a file | it is written uprobe:FILE:FUNCTION or uprobe:FILE:cpp:FUNCTION or uprobe:FILE:FUNCTION+OFFSET or uprobe:FILE:OFFSET or uprobe:FILE@SOURCE:LINE[:COLUMN]",
    ],
  ],
  [
    "uprobe:/fixture/tiny.stripped:main { }",
    [
      "error unknown-probe 'uprobe:/fixture/tiny.stripped:main': No matches for uprobe /fixture/tiny.stripped:main. | The file has no symbols; install its debug symbols. | /fixture/tiny.stripped has no function 'main'",
      "error no-attach-points 'uprobe:/fixture/tiny.stripped:main { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "uretprobe:/fixture/tiny:chain { }",
    [
      "error unknown-probe 'uretprobe:/fixture/tiny:chain': No matches for uretprobe /fixture/tiny:chain. | /fixture/framed, which it is linked with, has one: uretprobe:/fixture/framed:chain | /fixture/tiny has no function 'chain'",
      "error no-attach-points 'uretprobe:/fixture/tiny:chain { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "uprobe:/fixture/symbols:chosen, uprobe:/fixture/symbols:lonely { }",
    [
      "warning indirect-function 'uprobe:/fixture/symbols:chosen': chosen is indirect: a probe sees it choose the function that a program will call, and not the calls | beetrace -l 'uprobe:/fixture/symbols:__chosen_*' lists what it may choose",
      "warning indirect-function 'uprobe:/fixture/symbols:lonely': lonely is indirect: a probe sees it choose the function that a program will call, and not the calls | what it may choose has no symbols of such names here; debug symbols may tell",
    ],
  ],
  [
    "interval:s { }",
    [
      "error bad-attach-point 'interval:s': 'interval:s' does not say how often to fire | it is written interval:s:N or interval:ms:N or interval:us:N or interval:hz:N",
    ],
  ],
  [
    "interval:s:0 { }",
    [
      "error bad-attach-point 'interval:s:0': 'interval:s:0' does not say how often to fire | it is written interval:s:N or interval:ms:N or interval:us:N or interval:hz:N",
    ],
  ],
  [
    "interval:x:5 { }",
    [
      "error bad-attach-point 'interval:x:5': 'interval:x:5' does not say how often to fire | it is written interval:s:N or interval:ms:N or interval:us:N or interval:hz:N",
    ],
  ],
  ["profile:hz:99 { }", []],
  [
    "profile:99 { }",
    [
      "error short-period 'profile:99': Invalid rate of profile probe. Minimum is 1000 or 1us. Found: 99 nanoseconds | profile:hz:99 fires 99 times a second",
    ],
  ],
  [
    "software:page-fault:10 { }",
    [
      "error unknown-probe 'software:page-fault:10': No matches for software page-fault:10. | did you mean 'page-faults'? Known: alignment-faults, bpf-output, context-switches, cs, cpu-clock, cpu, cpu-migrations, dummy, emulation-faults, major-faults, minor-faults, page-faults, faults, task-clock. | there is no software event 'page-fault'",
      "error no-attach-points 'software:page-fault:10 { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "software:faults:x { }",
    [
      "error bad-attach-point 'software:faults:x': 'x' is no count of events | it is written software:EVENT:COUNT or software:EVENT:",
    ],
  ],
  [
    "hardware:cycles:1000 { }",
    [
      "error no-hardware-events 'hardware:cycles:1000': this machine offers no hardware events | virtual machines often have no performance counters; software:cpu-clock:1000000 or profile:hz:99 sample by time instead",
    ],
    { kernel: new FixtureKernel({ features: { hardwareEvents: "no" } }) },
  ],
  ["BEGIN:x { }", ["error bad-attach-point 'BEGIN:x': begin takes nothing after its name | it is written begin"]],
  [
    "kprobe:vfs_* { }",
    [
      "error too-many-probes 'kprobe:vfs_* { }': the script has 6 attach points, more than max_probes = 2 | narrow the wildcard, or set BPFTRACE_MAX_PROBES=6",
    ],
    { settings: { max_probes: "2" } },
  ],
  [
    "kprobe:nope { } kprobe:vfs_read { }",
    [
      `warning not-traceable 'kprobe:nope': nope is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail`,
      "warning unknown-probe 'kprobe:nope': No matches for kprobe nope. Skipping. | there is no function 'nope' that can be traced: it may be called otherwise here, or inlined into its callers",
      "warning no-attach-points 'kprobe:nope { }': Probe has no valid attach points. It is being removed which may cause issues with program behavior.",
    ],
    { settings: { missing_probes: "warn" } },
  ],
  ["kprobe:nope { } kprobe:vfs_read { }", [], { settings: { missing_probes: "ignore" } }],
  [
    "kprobe:nope { }",
    [
      `warning not-traceable 'kprobe:nope': nope is not traceable (either non-existing, inlined, or marked as "notrace"); attaching to it will likely fail`,
      "warning unknown-probe 'kprobe:nope': No matches for kprobe nope. Skipping. | there is no function 'nope' that can be traced: it may be called otherwise here, or inlined into its callers",
      "warning no-attach-points 'kprobe:nope { }': Probe has no valid attach points. It is being removed which may cause issues with program behavior.",
    ],
    { settings: { missing_probes: "warn" } },
  ],
  [
    "uprobe:/fixture/tiny:twicee { }",
    [
      "error unknown-probe 'uprobe:/fixture/tiny:twicee': No matches for uprobe /fixture/tiny:twicee. | did you mean 'twice'? | /fixture/tiny has no function 'twicee'",
      "error no-attach-points 'uprobe:/fixture/tiny:twicee { }': Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'.",
    ],
  ],
  [
    "config = { max_strln = 5 } BEGIN { }",
    ["error unknown-setting 'max_strln = 5': max_strln: not a known configuration option | did you mean 'max_strlen'?"],
  ],
  [
    "config = { max_strlen = 0 } BEGIN { }",
    ["error bad-setting '0': Invalid value for max_strlen. Found: 0. It must be between 1 and 65536"],
  ],
  [
    "config = { stack_mode = fancy } BEGIN { }",
    [
      "error bad-setting 'fancy': Invalid value for stack_mode. Found: fancy. Valid values: bpftrace, perf, raw, build_id",
    ],
  ],
  [
    "BEGIN { }",
    ["error bad-setting '': Invalid value for BPFTRACE_MAX_STRLEN. Found: x. It must be a whole number"],
    { settings: { max_strlen: "x" } },
  ],
];

for (const [script, told, options = {}] of cases) {
  test(script, () => {
    assert.deepEqual(compileText(script, options).diagnostics.map(renderBrief), told);
  });
}

test("a positional parameter may stand for an attach point or a piece of it", () => {
  const names = (text: string, ...positional: string[]): readonly string[] | undefined =>
    compileText(text, { positional }).script?.targets.map((target) => target.name);
  assert.deepEqual(names("$1 { }", "interval:ms:5"), ["interval:ms:5"]);
  assert.deepEqual(names("BEG$1 { }", "IN"), ["begin"]);
  assert.deepEqual(names("kprobe:vfs_$2, $1:vfs_open { }", "kprobe", "read"), ["kprobe:vfs_read", "kprobe:vfs_open"]);
});

test("what follows exit(), return, break or continue is told to be unreachable, once", () => {
  const script = "BEGIN { @a++; exit(); @a++; @b++; while (1) { break; @a++ } return; } END { return; }";
  assert.deepEqual(
    complaints(script).filter((text) => text.includes("unreachable")),
    ["warning unreachable '@a++'", "warning unreachable '@a++'"],
  );
});

test("what has become of a function of a program, and what to write in its place", () => {
  const hints: readonly (readonly [point: string, hint: string | undefined])[] = [
    [
      "uprobe:/fixture/symbols:copied",
      "the compiler has made copied.constprop.0 of it, whose arguments may be others: uprobe:/fixture/symbols:copied.constprop.0",
    ],
    [
      "uretprobe:/fixture/symbols:halved",
      "the compiler has made halved.part.0 of it, whose arguments may be others; the rest of it is inlined into its callers: uretprobe:/fixture/symbols:halved.part.0",
    ],
    ["uprobe:/fixture/symbols:twice", 'in C++ it is uprobe:/fixture/symbols:cpp:"int twice<*>"'],
    ["uprobe:/fixture/classes:grow", 'in C++ it is uprobe:/fixture/classes:cpp:"shop::Box::grow"'],
    ['uretprobe:/fixture/classes:cpp:"Box::grow"', 'in C++ it is uretprobe:/fixture/classes:cpp:"shop::Box::grow"'],
    ['uprobe:/fixture/classes:cpp:"shop::Box::grown"', "did you mean 'shop::Box::grow'?"],
    [
      "uprobe:/fixture/inlined5:middle",
      "its calls are inlined, or it was dropped as nobody calls it; a line of it may do: uprobe:/fixture/inlined5@SOURCE:LINE",
    ],
    ["uprobe:/fixture/inlined5:nothing_like_it", undefined],
  ];
  for (const [point, hint] of hints) {
    const { diagnostics } = compileText(`${point} { }`, { kernel: new FixtureKernel() });
    assert.equal(diagnostics[0]?.hint, hint, point);
  }
});

/** A kernel with these functions alone. */
class WithFunctions extends FixtureKernel {
  private readonly listed: KernelFunctions;

  constructor(...names: readonly string[]) {
    super();
    const functions = names.map((name) => ({ name, module: "vmlinux", address: undefined }));
    this.listed = new KernelFunctions(listedFunctions(functions));
  }

  override kernelFunctions(): KernelFunctions {
    return this.listed;
  }
}

test("a copy that the compiler has made of a function of the kernel", () => {
  const kernel = new WithFunctions("tcp_rate.cold", "tcp_rate.isra.0", "tcp_rates");
  const { diagnostics } = compileText("kretprobe:tcp_rate { }", { kernel });
  assert.equal(
    diagnostics[1]?.hint,
    "the compiler has made tcp_rate.isra.0 of it, whose arguments may be others: kretprobe:tcp_rate.isra.0",
  );
});

test("names that a function has in other kernels are left out beside the one that it has here", () => {
  const kernel = new WithFunctions("__blk_account_io_start", "blk_mq_start_request", "vfs_read");
  const script = `kprobe:blk_account_io_start, kprobe:__blk_account_io_start { @a = count(); }
    kprobe:blk_start_request, kprobe:blk_mq_start_request { @b = count(); }`;
  for (const unsafe of [false, true]) {
    const { unit, diagnostics } = compileText(script, { kernel, unsafe });
    assert.deepEqual(
      unit?.attachPoints.map(({ name }) => name),
      ["kprobe:__blk_account_io_start", "kprobe:blk_mq_start_request"],
    );
    assert.deepEqual(diagnostics.map(renderBrief), [
      "warning other-name 'kprobe:blk_account_io_start': kprobe:blk_account_io_start is left out: this kernel has the function as __blk_account_io_start",
      "warning other-name 'kprobe:blk_start_request': kprobe:blk_start_request is left out: this kernel has the function as blk_mq_start_request",
    ]);
  }
  // Alone it is missed, and so is what is no name of the same.
  for (const alone of ["kprobe:blk_account_io_start { }", "kprobe:blk_account_io_start, kprobe:vfs_read { }"])
    assert.ok(
      complaints(alone, { kernel }).some((told) => told.startsWith("error unknown-probe")),
      alone,
    );
});
