// What is said about calls of builtins: names, arguments, probes that do not offer them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText, renderBrief, type ScriptOptions } from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";

/** Script, what it is told, and what it is compiled with. */
type Case = readonly [script: string, told: readonly string[], options?: ScriptOptions];

const cases: readonly Case[] = [
  [
    'BEGIN { prinft("x"); }',
    ["error unknown-function 'prinft': there is no function 'prinft' | did you mean 'printf'?"],
  ],
  ["BEGIN { print(str); }", ["error not-a-value 'str': str is a function | call it: str(...)"]],
  [
    "BEGIN { $x = count(); }",
    ["error map-function '$x = count()': count() can only be assigned to a map | @ = count(...)"],
  ],
  [
    "BEGIN { print(hist(1)); }",
    ["error map-function 'hist(1)': hist() only makes sense when it is assigned to a map | @ = hist(...)"],
  ],
  [
    'BEGIN { printf("%d"); }',
    [
      "error bad-format 'printf(\"%d\")': printf: the format has 1 conversion, but no values follow | each %d, %s ... needs a value; %% prints a percent sign",
    ],
  ],
  [
    'BEGIN { printf("%d", 1, 2); }',
    [
      "error bad-format 'printf(\"%d\", 1, 2)': printf: the format has 1 conversion, but 2 values follow | each value needs a conversion such as %d or %s",
    ],
  ],
  [
    'BEGIN { printf("%d", comm); }',
    ["error bad-format 'comm': printf: %d does not print string[16] | text, symbols and stacks are printed by %s"],
  ],
  [
    'BEGIN { printf("%s %f", 1, 2); }',
    ["error bad-format 'printf(\"%s %f\", 1, 2)': printf: unsupported format specifier: f"],
  ],
  [
    "BEGIN { printf(comm); }",
    ["error bad-argument 'comm': printf() needs a literal text as its format | write it in quotes: \"...\""],
  ],
  [
    "BEGIN { printf(); }",
    ["error argument-count 'printf()': printf() takes at least 1 argument, not 0 | printf(format, [values ...])"],
  ],
  ["BEGIN { str(); }", ["error argument-count 'str()': str() takes 1 to 2 arguments, not 0 | str(address, [length])"]],
  [
    "BEGIN { $x = str(comm, 1, 2); }",
    ["error argument-count 'str(comm, 1, 2)': str() takes 1 to 2 arguments, not 3 | str(address, [length])"],
  ],
  ["BEGIN { clear(1); }", ["error bad-argument '1': clear() takes a map here | e.g. clear(@x)"]],
  [
    "BEGIN { @x[1] = 1; clear(@x[1]); }",
    ["error bad-argument '@x[1]': clear() takes a whole map | leave the key out: clear(@x)"],
  ],
  [
    "BEGIN { @x[1] = 1; delete(@x); }",
    [
      "error bad-argument '@x': @x has keys: which entry is to be removed? | delete(@x, key) removes one entry, clear(@x) all of them",
    ],
  ],
  ["BEGIN { print(1, 2); }", ["error bad-argument 'print(1, 2)': only a map can be printed with top and div"]],
  ["BEGIN { @x = hist(1, 9); }", ["error bad-argument 'hist(1, 9)': hist() takes a k from 0 to 5"]],
  [
    "BEGIN { @x = lhist(1, 10, 0, 1); }",
    [
      "error bad-argument 'lhist(1, 10, 0, 1)': lhist() needs a max above its min, not 10 to 0 | lhist(n, min, max, step), e.g. lhist(retval, 0, 2000, 200)",
    ],
  ],
  [
    "BEGIN { @x = lhist(1, 0, 10, 0); }",
    [
      "error bad-argument 'lhist(1, 0, 10, 0)': lhist() needs a step of at least 1 | lhist(n, min, max, step), e.g. lhist(retval, 0, 2000, 200)",
    ],
  ],
  [
    "BEGIN { @x = lhist(1, 0, 100000, 1); }",
    [
      "error bad-argument 'lhist(1, 0, 100000, 1)': lhist() would have 100000 buckets, more than 1000 | lhist(n, min, max, step), e.g. lhist(retval, 0, 2000, 200)",
    ],
  ],
  [
    "BEGIN { @x = lhist(1, 0, 18446744073709551615, 1152921504606846976); }",
    [
      "error bad-argument 'lhist(1, 0, 18446744073709551615, 1152921504606846976)': lhist() takes its values as signed, none is above 9223372036854775807 | lhist(n, min, max, step), e.g. lhist(retval, 0, 2000, 200)",
    ],
  ],
  ["BEGIN { @x = lhist(1, 0, pid, 1); }", ["error bad-argument 'pid': lhist() needs a literal number as its max"]],
  [
    "BEGIN { join(comm, 5); }",
    ["error bad-argument '5': join() needs a literal text as its separator | write it in quotes: \"...\""],
  ],
  ["BEGIN { print(arg0); }", ["error wrong-probe 'arg0': arg0 cannot be used in begin"]],
  [
    "kretprobe:vfs_read { print(arg0); }",
    [
      "error wrong-probe 'arg0': arg0 cannot be used in kretprobe:vfs_read | arguments are gone when a function returns; keep them in a map at its entry: @arg[tid] = arg0",
    ],
  ],
  [
    "kprobe:vfs_read { print(retval); }",
    [
      "error wrong-probe 'retval': retval cannot be used in kprobe:vfs_read | kretprobe, uretprobe and fexit see a result, if there is one; a syscall's is args.ret of its sys_exit tracepoint",
    ],
  ],
  [
    "BEGIN { print(args.x); }",
    ["error wrong-probe 'args': args cannot be used in begin | begin and end have no arguments"],
  ],
  [
    "kprobe:vfs_read { print(args.x); }",
    [
      "error wrong-probe 'args': args cannot be used in kprobe:vfs_read | a kprobe sees registers only: use arg0, arg1 ..., or fentry, which knows the types",
    ],
  ],
  [
    "tracepoint:sched:sched_switch { print(arg0); }",
    [
      "error wrong-probe 'arg0': arg0 cannot be used in tracepoint:sched:sched_switch | use args.NAME; beetrace -lv shows the names",
    ],
  ],
  [
    "BEGIN { print(func); }",
    [
      "error wrong-probe 'func': func cannot be used in begin | it is the traced function's name; probe says which probe fired",
    ],
  ],
  [
    'BEGIN { print(reg("ip")); }',
    [
      "error wrong-probe 'reg(\"ip\")': reg() cannot be used in begin | only function and sampling probes see registers",
    ],
  ],
  [
    'kprobe:vfs_read { print(reg("ipp")); }',
    [
      "error unknown-register 'reg(\"ipp\")': there is no register 'ipp' | registers: r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_rax, ip, cs, flags, sp, ss, pc, orig_ax",
    ],
  ],
  [
    "BEGIN { print(kstack(fancy)); }",
    ["error bad-stack-mode 'fancy': there is no stack mode 'fancy' | modes: bpftrace, perf, raw, build_id"],
  ],
  [
    "BEGIN { print(kstack(500)); }",
    [
      "error bad-stack-depth 'kstack(500)': a stack has 1 to 127 frames | the kernel records no more than kernel.perf_event_max_stack",
    ],
  ],
  [
    "BEGIN { print(dw_ustack); }",
    [
      "error no-unwinding 'dw_ustack': dw_ustack requires a target process | -p PID, -c COMMAND and --dwarf-pid PID name one, and --tree, --container, --cgroup, --uid and --comm many: the tables of their files are read",
    ],
  ],
  [
    "BEGIN { print(dw_ustack); }",
    [
      "error no-unwinding 'dw_ustack': dw_ustack knows the tables of x86-64 only, not of arm64 | ustack takes its stacks by frame pointers",
    ],
    { pid: 1, kernel: new FixtureKernel({ arch: "arm64" }) },
  ],
  [
    "BEGIN { print(dw_ustack); }",
    [
      "error no-unwinding 'dw_ustack': dw_ustack needs the helpers bpf_loop and bpf_find_vma, which kernels have since Linux 5.17 | ustack takes its stacks by frame pointers",
    ],
    { unwound: true, kernel: new FixtureKernel({ features: { bpfLoop: "no" } }) },
  ],
  [
    "BEGIN { print(dw_ustack); }",
    [
      "error no-unwinding 'dw_ustack': dw_ustack needs the kernel's BTF: not built | ustack takes its stacks by frame pointers",
    ],
    { filter: { names: ["init"] }, kernel: new FixtureKernel({ withoutBtf: "not built" }) },
  ],
  [
    "BEGIN { print(nsecs(moon)); }",
    ["error bad-clock 'nsecs(moon)': there is no clock 'moon' | clocks: monotonic, boot, tai, sw_tai"],
  ],
  [
    'BEGIN { print(strftime("%H", -1)); }',
    [
      "error negative-time 'strftime(\"%H\", -1)': a moment cannot be negative | strftime takes nanoseconds of a clock, e.g. nsecs",
    ],
  ],
  [
    'BEGIN { $t = nsecs(tai); $t = nsecs(boot); print(strftime("%H", $t)); }',
    [
      "error mixed-clocks 'strftime(\"%H\", $t)': these nanoseconds are of several clocks | use a variable or a map for each clock",
    ],
  ],
  ['BEGIN { time("%4095d"); let $t: uint64 = nsecs(tai); $t = 5; print(strftime("%0^4095a", $t)); }', []],
  ['BEGIN { time("%4096d"); }', ["error bad-format 'time(\"%4096d\")': a field of a time can be 4095 characters wide"]],
  [
    'BEGIN { print(strftime("x%^99999999999Oa", nsecs)); }',
    ["error bad-format 'strftime(\"x%^99999999999Oa\", nsecs)': a field of a time can be 4095 characters wide"],
  ],
  [
    "BEGIN { print(cpid); }",
    [
      "warning no-child 'cpid': cpid is 0: there is no command to trace | give one with -c; has_cpid tells whether there is one",
    ],
  ],
  [
    'BEGIN { print(kaddr("nope")); }',
    [
      "error unknown-symbol 'kaddr(\"nope\")': Failed to resolve kernel symbol: nope | grep it in /proc/kallsyms; addresses of zero mean that kernel.kptr_restrict hides them",
    ],
  ],
  [
    'BEGIN { system("ls"); }',
    [
      "error unsafe 'system': system() is unsafe. To use you need the --unsafe flag | it can change the system: run beetrace --unsafe ... if you mean it",
    ],
  ],
  [
    "kretprobe:vfs_read { override(1); }",
    [
      "error wrong-probe 'override(1)': override() cannot be used in kretprobe:vfs_read | only a kprobe can keep a function from running",
    ],
    { unsafe: true },
  ],
  [
    "kprobe:vfs_read { override(1); }",
    ["error no-override 'override(1)': this kernel cannot override results (CONFIG_BPF_KPROBE_OVERRIDE is off)"],
    { unsafe: true, kernel: new FixtureKernel({ features: { overrideReturn: "no" } }) },
  ],
  [
    'uprobe:/fixture/tiny:twice { print(uaddr("nope")); }',
    ["error unknown-symbol 'uaddr(\"nope\")': /fixture/tiny has no symbol 'nope'"],
  ],
];

for (const [script, told, options = {}] of cases) {
  test(script, () => {
    assert.deepEqual(compileText(script, options).diagnostics.map(renderBrief), told);
  });
}
