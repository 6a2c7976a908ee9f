// The scripts and commands of the articles that the project comes from, each with a workload whose result is known.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSys } from "../../src/sys/ffi.js";
import { programNames } from "../support/kernel-objects.js";
import {
  info,
  isEmulated,
  lacks,
  lines,
  pause,
  program,
  run,
  sameElsewhere,
  sameEverywhere,
  Tracer,
  trace,
} from "../support/run.js";
import { dd, openTimes, python, shell } from "../support/workload.js";

const e = (script: string, ...args: string[]): string[] => ["-e", script, ...args];

// Older versions of bpftrace waited for Ctrl-C; 0.27 ends, because nothing more can happen.
test("hello world ends by itself, with and without a semicolon", { skip: sameEverywhere }, async () => {
  for (const script of ['BEGIN { printf("hello world\\n"); }', 'BEGIN { printf("hello world\\n") }']) {
    const { out, status } = await run(...e(script));
    assert.equal(out, "hello world\n\n\n");
    assert.equal(status, 0);
  }
});

test("execve with the file's name", async () => {
  const { out } = await run(
    ...e(
      't:syscalls:sys_enter_execve { printf("%s called %s\\n", comm, str(args->filename)); }',
      "-c",
      "/usr/bin/env true",
    ),
  );
  assert.match(out, /^beetrace called \/usr\/bin\/env$/m);
  assert.match(out, /^env called (?:\/usr)?(?:\/local)?\/s?bin\/true$/m);
});

test("-lv shows a tracepoint's fields with their types", async () => {
  const short = await run("-lv", "t:syscalls:sys_enter_execve");
  // Linux 7 adds a copy of the text, __filename_val.
  assert.deepEqual(lines(short.out).slice(0, 5), [
    "tracepoint:syscalls:sys_enter_execve",
    "    int __syscall_nr",
    "    const char * filename",
    "    const char *const * argv",
    "    const char *const * envp",
  ]);
  const long = await run("-lv", "tracepoint:syscalls:sys_enter_read");
  assert.deepEqual(lines(long.out).slice(1, 5), [
    "    int __syscall_nr",
    "    unsigned int fd",
    "    char * buf",
    "    size_t count",
  ]);
});

test("-l lists what tracefs has", { skip: sameEverywhere }, async () => {
  const { out } = await run("-l", "tracepoint:syscalls:sys_enter_*");
  const tracefs = shell(
    "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; cut -d: -f1- /sys/kernel/tracing/available_events",
  );
  const expected = lines(tracefs)
    .filter((event) => event.startsWith("syscalls:sys_enter_"))
    .map((event) => `tracepoint:${event}`);
  assert.deepEqual(lines(out), expected.sort());
  const all = lines((await run("-l")).out);
  for (const name of [expected[0], "software:page-faults:", "profile:hz:", "interval:s:"])
    assert.ok(all.includes(name ?? ""), `${name} in -l`);
  assert.deepEqual(lines((await run("-l", "*")).out), all);
});

test("-l kprobe:vfs_*", { skip: lacks("kprobe") || sameElsewhere }, async () => {
  const names = lines((await run("-l", "kprobe:vfs_*")).out);
  assert.ok(names.includes("kprobe:vfs_read") && names.includes("kprobe:vfs_write"));
  assert.ok(names.every((name) => name.startsWith("kprobe:vfs_")));
});

test("t:syscalls:sys_enter_* counts by probe", async () => {
  // sysinfo(2) is called once by each `free`, and by nothing else here.
  const { out } = await run(...e('t:syscalls:sys_enter_* /comm == "dd"/ { @[probe] = count(); }', "-c", dd(100)));
  assert.match(out, /^@\[tracepoint:syscalls:sys_enter_write\]: 100$/m);
});

test("a predicate with spaces inside its slashes", { skip: sameEverywhere }, async () => {
  const { out } = await trace(
    e(
      `t:syscalls:sys_enter_openat / pid == ${process.pid} && str(args.filename) == "/etc/hostname"/ { @[probe] = count(); }`,
    ),
    () => openTimes("/etc/hostname", 7),
  );
  assert.deepEqual(lines(out), ["@[tracepoint:syscalls:sys_enter_openat]: 7"]);
});

test("bytes written, by name", { skip: sameEverywhere }, async () => {
  const { out } = await run(
    ...e(
      't:syscalls:sys_exit_write /args->ret > 0 && comm == "dd"/ { @[comm] = sum(args->ret); }',
      "-c",
      "dd if=/dev/zero of=/dev/null bs=1000 count=7 status=none",
    ),
  );
  assert.deepEqual(lines(out), ["@[dd]: 7000"]);
});

test("histogram of read sizes", { skip: sameEverywhere }, async () => {
  const script = 't:syscalls:sys_exit_read /comm == "dd" && args->ret <= 64/ { @[comm] = hist(args->ret); }';
  const { out } = await run(...e(script, "-c", "dd if=/dev/zero of=/dev/null bs=48 count=31 status=none"));
  assert.match(out, /^\[32, 64\) +31 \|@{52}\|$/m);
});

test("uretprobe:/bin/bash:readline sees what is typed", { skip: sameEverywhere }, async () => {
  const script = 'uretprobe:/bin/bash:readline { printf("readline: \\"%s\\"\\n", str(retval)); }';
  const { out } = await trace(e(script), () => {
    shell(`${python} - <<'PY'
import os, pty, time, select
pid, fd = pty.fork()
if pid == 0:
    os.execv("/bin/bash", ["bash", "--norc", "-i"])
def until(text):
    seen = b""
    while text not in seen:
        seen += os.read(fd, 4096)
until(b"# " if os.getuid() == 0 else b"$ ")
os.write(fd, b"echo first\\n"); until(b"first\\r\\nfirst"[:5]); time.sleep(0.2)
os.write(fd, b"echo second  word\\n"); time.sleep(0.5)
os.write(fd, b"exit\\n")
os.waitpid(pid, 0)
PY`);
  });
  assert.deepEqual(lines(out), ['readline: "echo first"', 'readline: "echo second  word"', 'readline: "exit"']);
});

test("-l uprobe:/bin/bash lists its functions", { skip: sameEverywhere }, async () => {
  const names = lines((await run("-l", "uprobe:/bin/bash")).out);
  assert.ok(names.length > 500, `${names.length} functions`);
  assert.ok(names.includes("uprobe:/bin/bash:readline"));
});

test("comments, several attach points, wildcards", { skip: sameEverywhere }, async () => {
  const script = `// a comment
/* another
   one */
t:syscalls:sys_enter_openat,t:syscalls:sys_exit_openat /pid == ${process.pid}/ { @[probe] = count(); } // behind`;
  const { out } = await trace(e(script), () => openTimes("/etc/hostname", 5));
  assert.deepEqual(lines(out), [
    "@[tracepoint:syscalls:sys_enter_openat]: 5",
    "@[tracepoint:syscalls:sys_exit_openat]: 5",
  ]);
});

test("a variable's name inside a text stays text", { skip: sameEverywhere }, async () => {
  const { out } = await run(...e('BEGIN { $x = 42; printf("$x is %d", $x); exit(); }'));
  assert.equal(out, "$x is 42\n\n");
});

test("maps with one and several keys, delete and print", { skip: sameEverywhere }, async () => {
  const script = `t:syscalls:sys_enter_openat /pid == ${process.pid}/ { $fd = 3; @path[pid, $fd] = str(args.filename); @start[tid] = nsecs; }
t:syscalls:sys_exit_openat /@start[tid]/ { @took = nsecs - @start[tid] > 0; delete(@start[tid]); print(@took); }`;
  const { out } = await trace(e(script), () => openTimes("/etc/hostname", 1));
  assert.deepEqual(lines(out), ["@took: true", `@path[${process.pid}, 3]: /etc/hostname`, "@took: true"]);
});

test("enter and exit of read(2) as a pair", async () => {
  const script = `t:syscalls:sys_enter_read /comm == "dd"/ { @enter = count(); } t:syscalls:sys_exit_read /comm == "dd" && args->ret == 1/ { @one = count(); }`;
  const { out } = await run(...e(script, "-c", dd(33)));
  assert.match(out, /^@one: 33$/m);
});

test("a wildcard in the middle of a tracepoint", { skip: sameEverywhere }, async () => {
  const { out } = await run(
    ...e('t:syscalls:sys_*_execve { printf("%s %s PID %d\\n", probe, comm, pid); }', "-c", "/bin/true"),
  );
  assert.match(out, /^tracepoint:syscalls:sys_enter_execve beetrace PID \d+$/m);
  assert.match(out, /^tracepoint:syscalls:sys_exit_execve true PID \d+$/m);
});

const software = [
  "cpu-clock",
  "task-clock",
  "page-faults",
  "context-switches",
  "cpu-migrations",
  "minor-faults",
  "major-faults",
  "alignment-faults",
  "emulation-faults",
  "dummy",
  "bpf-output",
];

test("every software event can be attached", async () => {
  const points = software.map((event) => `software:${event}:1000000`).join(",");
  const { err, status } = await run(...e(`${points} { @[probe] = count(); } i:ms:1 { exit(); }`));
  assert.equal(status, 0, err);
  assert.match(err, /Attached 12 probes/);
});

test("page faults by name", async () => {
  // 500 pages that are touched once each; the allocator and python add their own.
  const touch = `${python} -c 'import mmap\nm = mmap.mmap(-1, 500 * 4096)\nfor i in range(500): m[i * 4096] = 1'`;
  const script =
    'software:faults:1 /comm == "python3"/ { @[comm] = count(); } software:major-faults:1 { @major[comm] = count(); }';
  const { out } = await trace(e(script), () => void shell(touch));
  const count = Number(/^@\[python3\]: (\d+)$/m.exec(out)?.[1]);
  assert.ok(count >= 500, out);
});

test("hardware events are refused clearly where there are none", {
  skip: info().features["hardwareEvents"] === "yes" && "this machine has a PMU",
}, async () => {
  const { err, status } = await run(...e("hardware:cache-misses:1000000 { @[pid] = count(); }"));
  assert.equal(status, 1);
  assert.match(err, /offers no hardware events/);
});

test("profile and interval in all their units", async () => {
  const { out, err, status } = await run(
    ...e(
      "profile:hz:99,profile:s:1,profile:ms:10,profile:us:1000 { @[probe] = count(); } i:ms:200,i:s:9,i:us:900000 { exit(); }",
    ),
  );
  assert.equal(status, 0, err);
  const counts = new Map(lines(out).map((line) => [/^@\[(.*)\]/.exec(line)?.[1], Number(line.split(": ")[1])]));
  // 200 ms on each processor, more or less.
  assert.ok((counts.get("profile:us:1000") ?? 0) > (counts.get("profile:ms:10") ?? 0), out);
  const four = await run(...e('interval:ms:5 { @n++; if (@n == 4) { printf("%d\\n", @n); clear(@n); exit(); } }'));
  assert.equal(lines(four.out)[0], "4");
});

test("ternary, if and else, unroll, all operators", { skip: sameEverywhere }, async () => {
  const script = `BEGIN {
    $x = -7; $abs = $x >= 0 ? $x : -$x; printf("%d\\n", $abs);
    if ($abs == 7) { printf("seven\\n"); } else { printf("other\\n"); }
    unroll (3) { @u++; }
    $a = 17; $b = 5;
    printf("%d %d %d %d %d %d %d %d %d %d\\n", $a + $b, $a - $b, $a * $b, $a / $b, $a % $b, $a & $b, $a | $b, $a ^ $b, $a << $b, $a >> 2);
    printf("%d %d %d %d %d %d %d %d %d\\n", $a == $b, $a != $b, $a < $b, $a <= $b, $a > $b, $a >= $b, $a && 0, $a || 0, !$a);
    $a += 3; $a -= 1; $a *= 2; $a /= 3; $a %= 7; $a |= 8; $a &= 13; $a ^= 1; $a <<= 3; $a >>= 1; printf("%d\\n", $a);
    $c = 1; $d = $c++; $f = ++$c; $g = $c--; $h = --$c; printf("%d %d %d %d %d\\n", $c, $d, $f, $g, $h);
    exit(); }`;
  const { out } = await run(...e(script));
  assert.deepEqual(lines(out), [
    "7",
    "seven",
    "22 12 85 3 2 1 21 20 544 4",
    "0 1 0 0 1 1 0 1 0",
    "48",
    "1 1 3 3 1",
    "@u: 3",
  ]);
});

test("builtins of the process", async () => {
  const script = `t:syscalls:sys_enter_openat /pid == ${process.pid} && str(args.filename) == "/etc/hostname"/ {
    printf("%d %d %d %d %s %s %d %d %d\\n", pid, tid, uid, gid, username, probe, cpu < 4096, ((struct task_struct *)curtask)->tgid, nsecs > elapsed); }`;
  const { out } = await trace(e(script), () => openTimes("/etc/hostname", 1));
  const user = shell("id -un").trim();
  assert.deepEqual(lines(out), [
    `${process.pid} ${process.pid} ${process.getuid?.()} ${process.getgid?.()} ${user} tracepoint:syscalls:sys_enter_openat 1 ${process.pid} 1`,
  ]);
});

test("positional parameters", { skip: sameEverywhere }, async () => {
  const { out } = await run(...e('BEGIN { printf("%d %s %d %d\\n", $1, str($2), $#, $3); exit(); }', "42", "word"));
  assert.deepEqual(lines(out), ["42 word 2 0"]);
});

test("functions that print: time, join, cat, ntop, str with a length, strftime", { skip: sameEverywhere }, async () => {
  const script = `BEGIN { time("%%\\n"); cat("/proc/sys/kernel/ostype"); printf("%s %s\\n", ntop(0x0100007f), str("abcdef", 3)); printf("%s\\n", strftime("%Y", nsecs)); exit(); }
t:syscalls:sys_enter_execve { join(args->argv); }`;
  const { out } = await run(...e(script));
  assert.deepEqual(lines(out), ["%", "Linux", "127.0.0.1 abc", String(new Date().getUTCFullYear())]);
  const joined = await run(...e("t:syscalls:sys_enter_execve { join(args->argv); }", "-c", "/bin/echo one two"));
  assert.match(joined.out, /^\/bin\/echo one two$/m);
});

test("strftime() of each clock, and time(), say the same day in any zone", { skip: sameEverywhere }, async () => {
  const dayIn = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 10);
  for (const [zone, hours] of [
    ["<+03>-3", 3],
    ["XYZ23", -23],
  ] as const) {
    const moments = ["nsecs", "nsecs(boot)", "nsecs(tai)", "nsecs(sw_tai)", "$t", "$t - 1000"];
    const prints = moments.map((moment) => `printf("%s\\n", strftime("%F %z", ${moment}));`).join(" ");
    const before = dayIn(hours);
    const { out } = await new Tracer(e(`BEGIN { $t = nsecs(tai); ${prints} time("%F %z\\n"); exit(); }`), {
      TZ: zone,
    }).end();
    const shown = new Set(lines(out));
    const offset = `${hours < 0 ? "-" : "+"}${String(Math.abs(hours)).padStart(2, "0")}00`;
    // Midnight may come between.
    for (const day of shown)
      assert.ok(
        [before, dayIn(hours)].some((each) => day === `${each} ${offset}`),
        day,
      );
    assert.equal(lines(out).length, moments.length + 1);
  }
});

test("system() needs --unsafe", { skip: sameEverywhere }, async () => {
  const refused = await run(...e('BEGIN { system("echo hi"); }'));
  assert.equal(refused.status, 1);
  assert.match(refused.err, /--unsafe/);
  const { out } = await run("--unsafe", ...e('BEGIN { system("echo %s %d", "hi", 5); exit(); }'));
  assert.deepEqual(lines(out), ["hi 5"]);
});

test("kaddr, ksym and reg", { skip: lacks("uprobe") }, async () => {
  const { out } = await run(...e('BEGIN { printf("%s\\n", ksym(kaddr("vfs_read"))); exit(); }'));
  assert.deepEqual(lines(out), ["vfs_read"]);
  const registers = await run(
    ...e('uprobe:/bin/bash:main { printf("%d %d\\n", reg("ip") > 0, arg0 == reg("di")); }', "-c", "/bin/bash -c :"),
  );
  assert.match(registers.out, /^1 1$/m);
});

test("uaddr and usym in a program that is loaded anywhere", { skip: sameEverywhere }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-uaddr-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, "ba:sh");
  copyFileSync("/bin/bash", copy);
  for (const program of ["/bin/bash", copy]) {
    const { out, err } = await run(
      ...e(
        `uprobe:"${program}":main { printf("%s %d\\n", usym(reg("ip")), *uaddr("dist_version") != 0); exit(); }`,
        "-c",
        `${program} -c 'kill -STOP $$; :'`,
      ),
    );
    assert.match(out, /^main 1$/m, err);
  }
});

test("every map function", { skip: sameEverywhere }, async () => {
  const script = `BEGIN { @c = count(); @c = count(); @s = sum(5); @s = sum(-2); @a = avg(4); @a = avg(8); @lo = min(7); @lo = min(-3); @hi = max(7); @hi = max(9);
    @st = stats(10); @st = stats(30); @h = hist(5); @l = lhist(15, 0, 100, 10); @z["k"] = 3; zero(@z); @gone = 1; clear(@gone);
    @t["a"] = 30; @t["b"] = 10; @t["c"] = 20; print(@t, 2); print(@t, 2, 10); exit(); }`;
  const { out } = await run(...e(script));
  assert.deepEqual(lines(out), [
    "@t[c]: 20",
    "@t[a]: 30",
    "@t[c]: 2",
    "@t[a]: 3",
    "@a: 6",
    "@c: 2",
    "@h:",
    `[4, 8)                 1 |${"@".repeat(52)}|`,
    "@hi: 9",
    "@l:",
    `[10, 20)               1 |${"@".repeat(52)}|`,
    "@lo: -3",
    "@s: 3",
    "@st: { .count = 2, .average = 20, .total = 40 }",
    "@t[b]: 10",
    "@t[c]: 20",
    "@t[a]: 30",
    "@z[k]: 0",
  ]);
});

test("raw_syscalls by name, and by process and name", async () => {
  const { out } = await run(
    ...e(
      'tracepoint:raw_syscalls:sys_enter /comm == "dd"/ { @[comm] = count(); @b[pid, comm] = count(); }',
      "-c",
      dd(50),
    ),
  );
  const byName = Number(/^@\[dd\]: (\d+)$/m.exec(out)?.[1]);
  const byProcess = Number(/^@b\[\d+, dd\]: (\d+)$/m.exec(out)?.[1]);
  assert.ok(byName >= 100, out);
  assert.equal(byName, byProcess);
});

test("sum of bytes read, by name", { skip: sameEverywhere }, async () => {
  const { out } = await run(
    ...e(
      'tracepoint:syscalls:sys_exit_read /args->ret && comm == "dd"/ { @[comm] = sum(args->ret == 100 ? 100 : 0); }',
      "-c",
      "dd if=/dev/zero of=/dev/null bs=100 count=9 status=none",
    ),
  );
  assert.match(out, /^@\[dd\]: 900$/m);
});

test("block_rq_issue and block_rq_complete load and attach", async () => {
  const { err, status } = await run(
    ...e(
      'tracepoint:block:block_rq_issue { printf("%d %s %d\\n", pid, comm, args->bytes); } tracepoint:block:block_rq_complete { @ = hist(args->nr_sector * 512); } i:ms:10 { exit(); }',
    ),
  );
  assert.equal(status, 0, err);
  assert.match(err, /Attached 3 probes/);
});

test("user stacks of a sampled process", async () => {
  // As long as it takes to be sampled some times. A slow processor that is sampled as often as a fast one does little else.
  const [turns, rate] = isEmulated() ? [300_000, 19] : [5_000_000, 199];
  const { out } = await run(
    ...e(
      `profile:hz:${rate} /comm == "python3"/ { @[ustack] = count(); }`,
      "-c",
      `${python} -c 'for i in range(${turns}): pass'`,
    ),
  );
  assert.match(out, /^@\[\n {8}\S/m);
});

test("kernel stacks of samples and of sched_switch; stack is kstack", async () => {
  const sampled = await run(...e("profile:hz:499 { @[stack] = count() }", "-c", dd(200000)));
  assert.match(sampled.out, /\+\d+\n\]: \d+/);
  const { out } = await run(...e("tracepoint:sched:sched_switch { @[stack] = count() }", "-c", "sleep 0.2"));
  assert.match(out, /schedule\+\d+\n/);
});

test("sched* by name", async () => {
  const { out, err } = await run(...e("tracepoint:sched:sched* { @[name] = count() } interval:ms:200 { exit() }"));
  assert.match(err, /Attached \d\d probes/);
  assert.match(out, /^@\[tracepoint:sched:sched_switch\]: \d+$/m);
});

test("args->retval of an exit tracepoint: the message names ret", { skip: sameEverywhere }, async () => {
  const { err, status } = await run(
    ...e(`tracepoint:syscalls:sys_exit_read /pid == ${process.pid}/ { @bytes = hist(args->retval) }`),
  );
  assert.equal(status, 1);
  assert.match(err, /no argument 'retval'[\s\S]*did you mean 'ret'\?/);
});

test("latency of vfs_read by a pair of kprobes", { skip: lacks("kprobe") }, async () => {
  const script =
    'kprobe:vfs_read /comm == "dd"/ { @start[tid] = nsecs; } kretprobe:vfs_read /@start[tid]/ { @ns = hist(nsecs - @start[tid]); @n = count(); @bytes[retval] = count(); delete(@start[tid]); }';
  const { out } = await run(...e(script, "-c", dd(50)));
  assert.match(out, /^@bytes\[1\]: 50$/m);
  assert.match(out, /^@ns:\n\[/m);
});

test("lhist of vfs_read's result, without a semicolon", { skip: lacks("kprobe") || sameElsewhere }, async () => {
  const { out } = await run(
    ...e(
      'kretprobe:vfs_read /comm == "dd" && retval == 300/ { @bytes = lhist(retval, 0, 2000, 200) }',
      "-c",
      "dd if=/dev/zero of=/dev/null bs=300 count=12 status=none",
    ),
  );
  assert.match(out, /^\[200, 400\) +12 \|@{52}\|$/m);
});

test("kretprobe:sys_read suggests today's name", { skip: lacks("kprobe") || sameElsewhere }, async () => {
  const { err, status } = await run(...e("kretprobe:sys_read { @ = count(); }"));
  assert.equal(status, 1);
  assert.match(err, /ksys_read/);
});

test("biolatency's probes attach, or the message says what to use", { skip: lacks("kprobe") }, async () => {
  const script =
    "kprobe:blk_account_io_start { @start[arg0] = nsecs; } kprobe:blk_account_io_done /@start[arg0]/ { @usecs = hist((nsecs - @start[arg0]) / 1000); delete(@start[arg0]); } END { clear(@start); } i:ms:1 { exit(); }";
  const { err, status } = await run(...e(script));
  if (status === 0) assert.match(err, /Attached 4 probes/);
  else assert.match(err, /block:block_io_(?:start|done)/);
});

test("override() makes getuid lie to id", { skip: lacks("overrideReturn") }, async () => {
  for (const args of [["--unsafe"], ["--unsafe", "-v"]]) {
    const { out, err } = await run(
      ...args,
      ...e('k:__x64_sys_getuid /comm == "id"/ { override(1337); }', "-c", "/usr/bin/id"),
    );
    assert.match(out, /^uid=1337/m, err);
  }
});

test("a script file that watches a pty", { skip: lacks("kprobe") || sameElsewhere }, async () => {
  const file = `/tmp/beetrace-pty-${process.pid}.bt`;
  writeFileSync(
    file,
    `#!/usr/bin/env beetrace
#include <linux/tty.h>
kprobe:pty_write{
$ttystruct = (struct tty_struct *)arg0;

  if($ttystruct->name == str($1)){
	  printf("test: %s %s\\n", $ttystruct->name, str(arg1));
  }
}
`,
  );
  // The slave side writes: its name is that of the slave's tty.
  const code = `import os, pty
m, s = pty.openpty()
print(os.ttyname(s).replace("/dev/pts/", "pts"), flush=True)
input()
os.write(s, b"secret\\n")
os.read(m, 100)`;
  const { spawn } = await import("node:child_process");
  const writer = spawn(python, ["-c", code], { stdio: ["pipe", "pipe", "inherit"] });
  const name = await new Promise<string>((resolve) =>
    writer.stdout.once("data", (data) => resolve(String(data).trim())),
  );
  const { out } = await trace([file, name], async (tracer) => {
    writer.stdin.end("\n");
    await tracer.says("secret");
  });
  assert.ok(out.startsWith(`test: ${name} secret`), out);
});

test("sizeof is BTF's, with and without an include", { skip: sameEverywhere }, async () => {
  const script = '#include <linux/sched.h>  \\ \nBEGIN { printf("%d\\n", sizeof(struct task_struct)); exit(); }';
  const [size] = lines((await run(...e(script))).out);
  assert.ok(Number(size) > 1000, size);
  const plain = await run(...e('BEGIN { printf("%d\\n", sizeof(struct task_struct)); exit(); }'));
  assert.deepEqual(lines(plain.out), [size]);
  const included = await run(
    "--include",
    "linux/sched.h",
    ...e('BEGIN { printf("%d\\n", sizeof(struct task_cputime)); exit(); }'),
  );
  assert.deepEqual(lines(included.out), ["24"]);
});

test("--info in text and JSON", async () => {
  const { out, status } = await run("--info");
  assert.equal(status, 0);
  assert.match(out, /BTF: \d+ types/);
  for (const part of ["Probe types", "Kernel features", "Kernel helpers", "Map types", "Program types", "Settings"])
    assert.ok(out.includes(`\n${part}\n`), part);
  // What is missing is told with what it costs.
  for (const [text] of out.matchAll(/^ {2}\S+: no .*\n.*$/gm)) assert.match(text, /\n {6}without: \S/);
  assert.equal(info().system.kernel, readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
});

test("--info of somebody without rights says that it could not tell, and why", { skip: sameEverywhere }, () => {
  const words = ["--reuid", "65534", "--clear-groups", "--inh-caps", "-all", process.execPath, program, "--info"];
  const text = spawnSync("setpriv", [...words], { encoding: "utf8" }).stdout;
  assert.match(
    text,
    /^ {2}ring_buffer: unknown \(Linux has it since 5\.8\), could not be tried: bpf\(BPF_MAP_CREATE.*EPERM/m,
  );
  const parsed = JSON.parse(spawnSync("setpriv", [...words, "-f", "json"], { encoding: "utf8" }).stdout) as {
    readonly features: Readonly<Record<string, string>>;
    readonly missing: readonly { readonly name: string; readonly reason?: string; readonly without: string }[];
  };
  assert.equal(parsed.features["ringBuffer"], "unknown");
  const missing = parsed.missing.find(({ name }) => name === "ringBuffer");
  assert.match(missing?.reason ?? "", /EPERM/);
  assert.match(missing?.without ?? "", /nothing works/);
});

test("SIGINT and SIGTERM end a trace cleanly and leave nothing in the kernel; nor does SIGKILL", async () => {
  const script =
    't:syscalls:sys_enter_nanosleep { @beetrace_leak_check[pid] = count(); printf("x\\n"); } profile:hz:9 { @p = count(); } uprobe:/bin/bash:main { @u = count(); }';
  for (const [signal, expected] of [
    ["SIGINT", 0],
    ["SIGTERM", 0],
    ["SIGKILL", 137],
  ] as const) {
    const tracer = new Tracer(e(script));
    await tracer.attached();
    const { status } = await tracer.stop(signal);
    assert.equal(status, expected, signal);
    await gone("sys_enter_nanosl");
  }
});

/** Waits until the kernel has no program of that name; it frees them after a grace period. */
async function gone(name: string): Promise<void> {
  const sys = openSys();
  for (let i = 0; i < 500; i++) {
    if (!programNames(sys).includes(name)) return;
    await pause(20);
  }
  assert.fail(`the kernel still has a program ${name}`);
}
