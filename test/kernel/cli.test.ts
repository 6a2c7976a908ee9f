// The program as its users meet it: options, files, exit statuses, and what it says when something is wrong.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { Script } from "node:vm";
import { lines, pause, program, run, sameEverywhere, Tracer, trace } from "../support/run.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-cli-"));
after(() => rmSync(folder, { recursive: true }));

test("a script that begins with #!/usr/bin/env beetrace runs by its name", { skip: sameEverywhere }, async () => {
  const file = join(folder, "hello.bt");
  writeFileSync(file, '#!/usr/bin/env beetrace\nBEGIN { printf("hello %s\\n", str($1)); exit(); }\n');
  chmodSync(file, 0o755);
  symlinkSync(program, join(folder, "beetrace"));
  const { stdout, stderr } = spawnSync(file, ["you"], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  assert.equal(stdout, "hello you\n\n\n", stderr);
});

test("the streams that it was given stay as they are: who shares them must not meet EAGAIN", {
  skip: sameEverywhere,
}, async () => {
  const tracer = new Tracer(["-v", "-e", 'BEGIN { warnf("said") } interval:s:60 { }']);
  await tracer.attached();
  await tracer.says("said");
  for (const stream of [1, 2]) {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${tracer.pid}/fdinfo/${stream}`, "utf8"))?.[1];
    // O_NONBLOCK, uapi/asm-generic/fcntl.h.
    assert.equal(Number.parseInt(flags ?? "", 8) & 0o4000, 0, `descriptor ${stream}: ${flags}`);
  }
  await tracer.stop();
});

test("V8 takes the code that the build has kept; without it, or with another one, the program is compiled", {
  skip: sameEverywhere,
}, () => {
  const dist = dirname(program);
  const name = readdirSync(dist).find((file) => file.endsWith(".cache"));
  assert.ok(name !== undefined, dist);
  const cachedData = readFileSync(join(dist, name));
  const source = readFileSync(join(dist, "program.cjs"), "latin1");
  assert.equal(new Script(source, { cachedData }).cachedDataRejected, false);
  const copy = join(folder, "dist");
  cpSync(dist, copy, { recursive: true });
  const version = (): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(copy, "beetrace.js"), "--version"], {
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    return stdout;
  };
  assert.match(version(), /^beetrace \d/);
  for (const other of [new Uint8Array(), new Uint8Array(4096), cachedData.subarray(0, 4096)]) {
    writeFileSync(join(copy, name), other);
    assert.match(version(), /^beetrace \d/);
  }
  rmSync(join(copy, name));
  assert.match(version(), /^beetrace \d/);
});

test("the process is named beetrace", { skip: sameEverywhere }, async () => {
  const { out } = await run("-e", 'BEGIN { printf("%s\\n", comm); exit(); }');
  assert.deepEqual(lines(out), ["beetrace"]);
  await trace(["-e", "i:s:1 { }"], (tracer) =>
    assert.equal(readFileSync(`/proc/${tracer.pid}/comm`, "utf8"), "beetrace\n"),
  );
});

test("exit statuses: of exit(), of end, of errors", { skip: sameEverywhere }, async () => {
  assert.equal((await run("-e", "BEGIN { exit(); }")).status, 0);
  assert.equal((await run("-e", "BEGIN { exit(7); }")).status, 7);
  assert.equal((await run("-e", "BEGIN { exit(7); } END { exit(3); }")).status, 3);
  assert.equal((await run("-e", "BEGIN { nonsense(); }")).status, 1);
});

test("-o writes to a file, -q is quiet, --dry-run attaches nothing", { skip: sameEverywhere }, async () => {
  const file = join(folder, "out.txt");
  const toFile = await run("-o", file, "-e", 'BEGIN { printf("text\\n"); @x = 1; exit(); }');
  assert.equal(toFile.out, "");
  assert.equal(readFileSync(file, "utf8"), "text\n\n\n@x: 1\n");
  assert.equal((await run("-q", "-e", "BEGIN { exit(); }")).err, "");
  const dry = await run("--dry-run", "-e", 'BEGIN { printf("never\\n"); }');
  assert.deepEqual([dry.out, dry.status], ["", 0]);
});

test("-d shows every stage", { skip: sameEverywhere }, async () => {
  const { out } = await run("-d", "all", "--dry-run", "-e", "BEGIN { @x = pid + 1; exit(); }");
  for (const stage of ["ast", "types", "ir", "bytecode", "unit"]) assert.match(out, new RegExp(`^// ${stage}: `, "m"));
  assert.match(out, /call get_current_pid_tgid/);
});

test("-f json: one object a line, the number of probes first", { skip: sameEverywhere }, async () => {
  const { out } = await run("-f", "json", "-e", 'BEGIN { printf("a\\n"); @x["k"] = 1; @h = hist(3); exit(); }');
  const events = lines(out).map((line) => JSON.parse(line) as { type: string; data: unknown });
  assert.deepEqual(
    events.map((event) => event.type),
    ["attached_probes", "printf", "hist", "map"],
  );
  assert.deepEqual(events.at(-1)?.data, { "@x": { k: 1 } });
});

test("-c starts the command when the probes are attached, and the trace ends with it", async () => {
  const script = 't:syscalls:sys_enter_execve /pid == cpid/ { printf("%s\\n", str(args.filename)); }';
  const { out, status } = await run("-e", script, "-c", "/bin/echo from the 'quoted  word'");
  assert.equal(status, 0);
  assert.deepEqual(lines(out).sort(), ["/bin/echo", "from the quoted  word"]);
});

test("-p ends with the process", async () => {
  const sleeper = spawn("sleep", ["600"]);
  const tracer = new Tracer(["-p", String(sleeper.pid), "-e", "i:ms:100 { @n = count(); }"]);
  try {
    await tracer.attached();
  } finally {
    sleeper.kill();
  }
  const { status, err } = await tracer.end();
  assert.equal(status, 0, err);
});

test("SIGUSR1 prints the maps of a running trace", { skip: sameEverywhere }, async () => {
  const tracer = new Tracer(["-e", "i:ms:50 { @ticks = count(); }"]);
  await tracer.attached();
  await pause(500);
  tracer.process.kill("SIGUSR1");
  await tracer.says(/@ticks: /);
  await tracer.stop();
});

test("SIGUSR1 runs the script's own programs for it instead", { skip: sameEverywhere }, async () => {
  const tracer = new Tracer([
    "-e",
    'self:signal:SIGUSR1 { @n++; printf("signal %d\\n", @n); if (@n == 2) { exit(); } }',
  ]);
  await tracer.attached();
  for (const n of [1, 2]) {
    tracer.process.kill("SIGUSR1");
    await tracer.says(`signal ${n}`);
  }
  const { out, status } = await tracer.end();
  assert.equal(status, 0);
  assert.match(out, /^@n: 2$/m);
});

test("--test runs test: probes: what returns 0 passes", { skip: sameEverywhere }, async () => {
  const script = `begin { @base = 40; }
    test:good { @base += 2; if (@base != 42) { return 1; } }
    test:bad { printf("as %d\\n", @base); return 1; }
    test:leaves { exit(3); }
    test:loop { for ($i : 0..3000) { if ($i == 2500) { return $i - 2499; } } }
    interval:ms:1 { printf("never\\n"); }`;
  const { out, status } = await run("--test", "-e", script);
  const plain = stripVTControlCharacters(out).replaceAll(/ \(\d+ [nμm]s\)/g, "");
  assert.deepEqual(lines(plain).slice(0, 16), [
    "[==========] Running 4 tests.",
    "[ RUN      ] good",
    "[       OK ] good",
    "[ RUN      ] bad",
    "as 42",
    "[  FAILED  ] bad",
    "[ RUN      ] leaves",
    "[  FAILED  ] leaves",
    "[ RUN      ] loop",
    "[  FAILED  ] loop",
    "[==========] 4 tests ran.",
    "[  PASSED  ] 1 test.",
    "[  FAILED  ] 3 tests, listed below:",
    "[  FAILED  ] bad",
    "[  FAILED  ] leaves",
    "[  FAILED  ] loop",
  ]);
  assert.equal(status, 1);
  const chosen = await run("--test", "--probe-filter", "goo", "-e", script);
  assert.match(chosen.out, /1 test ran/);
  assert.equal(chosen.status, 0);
});

test("--bench runs bench: probes many times; without it they do not run", { skip: sameEverywhere }, async () => {
  const script = 'bench:a { @ = count(); } bench:b { printf("b"); @n++; } bench:skipped { return 1; }';
  const { out, status } = await run("--bench", "-f", "json", "-e", script);
  assert.equal(status, 0);
  const results = lines(out).map((line) => JSON.parse(line).data);
  assert.deepEqual(
    results.flatMap((data) => Object.keys(data)),
    ["a", "b"],
  );
  for (const data of results) {
    const [{ average, iters }] = Object.values(data) as [{ average: number; iters: number }];
    assert.ok(average > 0 && iters > 100, JSON.stringify(data));
  }
  const without = await run("-e", script);
  assert.match(without.err, /use --bench to run bench: probes/);
  assert.equal(without.status, 1);
});

test("--bench: one slow run says nothing of the others", { skip: sameEverywhere }, async () => {
  const script = "bench:a { @n++; if (@n == 1) { for ($i : 0..300000) { @x += $i; } } }";
  const [, iters] = /"iters": (\d+)/.exec((await run("--bench", "-f", "json", "-e", script)).out) ?? [];
  assert.ok(Number(iters) > 100, `${iters} times`);
});

test("a reader that goes away ends the trace", { skip: sameEverywhere }, async () => {
  const tracer = new Tracer(["-e", 'i:ms:1 { printf("line\\n"); }']);
  await tracer.says("line");
  tracer.process.stdout?.destroy();
  const { status } = await tracer.end();
  assert.ok(status === 0 || status === 1, `status ${status}`);
});

interface Mistake {
  readonly args: readonly string[];
  readonly says: readonly RegExp[];
}

const mistakes: readonly Mistake[] = [
  {
    args: ["-e", "t:syscalls:sys_enter_opena { }"],
    says: [/there is no tracepoint/, /did you mean 'syscalls:sys_enter_open'/],
  },
  {
    args: ["-e", 't:syscalls:sys_enter_openat { printf("%s\\n", str(args.filenam)); }'],
    says: [/no argument 'filenam'/, /did you mean 'filename'/, /~+/],
  },
  { args: ["-e", 'BEGIN { $x = 1; $x = "text"; }'], says: [/\$x is int8, it cannot become string/] },
  { args: ["-e", 'BEGIN { @a = 1; @b = @a + "x"; }'], says: [/\+ needs integers, not string/] },
  {
    args: ["-e", "BEGIN { print(((struct task_strct *)curtask)->pid); }"],
    says: [/no type 'struct task_strct'/, /did you mean 'struct task_struct'/],
  },
  {
    args: ["-e", "BEGIN { print(((struct task_struct *)curtask)->pidd); }"],
    says: [/no member 'pidd'/, /did you mean 'pid'/],
  },
  { args: ["-e", 'BEGIN { prinf("x"); }'], says: [/no function 'prinf'/, /did you mean 'printf'/] },
  {
    args: ["-e", "BEGIN { $i = 0; while (1) { $i++; } }"],
    says: [/stdin:1:\d+-\d+: ERROR: the kernel's verifier refused/, /infinite loop|too large|unreachable/],
  },
  { args: ["-e", "uprobe:/bin/bash:readlin { }"], says: [/has no function 'readlin'/, /did you mean 'readline'/] },
  {
    args: ["-e", "uprobe:/bin/bash:malloc { }"],
    says: [/has no function 'malloc'/, /libc\.so\.6, which it is linked with, has one: uprobe:\S+libc\.so\.6:malloc\n/],
  },
  { args: ["-e", "uprobe:/etc/passwd:f { }"], says: [/\/etc\/passwd cannot be probed/] },
  { args: ["-e", "uprobe:/no/such/file:f { }"], says: [/there is no program or library/] },
  { args: ["-e", "krpobe:vfs_read { }"], says: [/no probe type 'krpobe'/, /did you mean 'kprobe'/] },
  { args: ["-e", "i:x:1 { }"], says: [/does not say how often/] },
  {
    args: ["/bin/bash"],
    says: [/^ERROR: '\/bin\/bash' is no script: it is not text\nHINT: -c runs a program, and -l/],
  },
  {
    args: ["-e", "profile:hz:100000000 { }"],
    says: [
      /^ERROR: Unable to attach probe: profile:hz:100000000: perf_event_open: EINVAL \(invalid argument\)\n/,
      /stdin:1:1-21: NOTE: this attach point\nprofile:hz:100000000 \{ \}\n~{20}\n/,
      /HINT: sysctl kernel\.perf_event_max_sample_rate says/,
    ],
  },
  { args: ["--formt", "json"], says: [/no option --formt/, /did you mean --format/] },
  { args: ["-f", "xml", "-e", "BEGIN { }"], says: [/Invalid output format "xml"/, /text, json/] },
  {
    args: ["--probe-filter", "nonsense", "-e", "i:s:1 { }"],
    says: [/^No probes to attach$/m, /no probe's name matches \/nonsense\//],
  },
  {
    args: ["-e", "config = { missing_probes = ignore } t:syscalls:nonsense { }"],
    says: [/^No probes to attach$/m, /HINT: none of the script's attach points is there/],
  },
  { args: ["-p", "abc", "-e", "BEGIN { }"], says: [/Failed to parse pid: invalid integer: abc/] },
  { args: ["-p", "4194303", "-e", "BEGIN { }"], says: [/there is no process 4194303/] },
  { args: ["-c", "/no/such/program", "-e", "BEGIN { }"], says: [/cannot run '\/no\/such\/program'/] },
  { args: ["/no/such/script.bt"], says: [/failed to open file '\/no\/such\/script\.bt': No such file/] },
  { args: ["/tmp"], says: [/failed to open file '\/tmp': Is a directory/] },
  { args: [], says: [/nothing to run/] },
  { args: ["-o", "/no/such/folder/out", "-e", "BEGIN { exit(); }"], says: [/cannot write to \/no\/such\/folder\/out/] },
];

for (const { args, says } of mistakes) {
  const skip = sameEverywhere;
  test(`a mistake is explained: ${args.join(" ") || "no arguments"}`, { skip }, async () => {
    const { out, err, status } = await run(...args);
    assert.equal(status, 1, err);
    for (const text of says) assert.match(out + err, text);
    assert.doesNotMatch(err, /internal error|\n {4}at /);
  });
}

test("without rights: what lacks, and what to do", async () => {
  const script = `exec("${process.execPath}", "${program}", "-e", "BEGIN { exit(); }")`;
  // nobody may not read the checkout of root; the program itself is what is asked here.
  const { stderr, status } = spawnSync(
    "setpriv",
    [
      "--bounding-set",
      "-sys_admin,-bpf",
      "--inh-caps=-all",
      "--",
      process.execPath,
      program,
      "-e",
      "BEGIN { exit(); }",
    ],
    { encoding: "utf8" },
  );
  assert.equal(status, 1, script);
  assert.match(stderr, /not allowed to trace: the process lacks CAP_BPF/);
  assert.match(stderr, /sudo/);
});

test("without BTF: scripts that need no types still run, others say what lacks", () => {
  const hidden = (script: string) =>
    spawnSync(
      "unshare",
      [
        "-m",
        "sh",
        "-c",
        `mount --bind /dev/null /sys/kernel/btf/vmlinux && exec "$@"`,
        "sh",
        process.execPath,
        program,
        "-e",
        script,
      ],
      { encoding: "utf8" },
    );
  const plain = hidden('t:syscalls:sys_enter_openat { @ = count(); } BEGIN { printf("%s\\n", "ran"); exit(); }');
  assert.equal(plain.status, 0, plain.stderr);
  assert.match(plain.stdout, /^ran$/m);
  const typed = hidden("BEGIN { print(((struct task_struct *)curtask)->pid); exit(); }");
  assert.equal(typed.status, 1);
  assert.match(typed.stderr, /'struct task_struct' is unknown.*BTF/);
});

test("without tracefs: it is mounted, or the message says that it lacks", () => {
  const { stdout, stderr, status } = spawnSync(
    "unshare",
    [
      "-m",
      "sh",
      "-c",
      'umount -l /sys/kernel/debug /sys/kernel/tracing 2>/dev/null; exec "$@"',
      "sh",
      process.execPath,
      program,
      "-e",
      "t:sched:sched_switch { @ = count(); } i:ms:50 { exit(); }",
    ],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^@: \d+$/m);
});

test("-l lists types, several patterns, what a script means, and the functions of a process's files", {
  skip: sameEverywhere,
}, async () => {
  const type = await run("-lv", "struct  path, union bpf_attr");
  assert.match(type.out, /^vmlinux: struct path \{\n\tstruct vfsmount \*mnt;\n\tstruct dentry \*dentry;\n\};\n\n/);
  assert.match(type.out, /^vmlinux: union bpf_attr \{\n\tstruct \{\n\t\t__u32 map_type;/m);
  const script = join(folder, "list.bt");
  writeFileSync(script, "interval:s:5 { } tracepoint:sched:sched_wakeup* { } interval:s:1 { }");
  const expected = ["interval:s:", "tracepoint:sched:sched_wakeup", "tracepoint:sched:sched_wakeup_new"];
  assert.deepEqual(lines((await run("-l", script)).out), expected);
  assert.deepEqual(lines((await run("-l", "-e", readFileSync(script, "utf8"))).out), expected);
  const own = await run("-l", "uprobe:*:uv_fs_open", "-p", String(process.pid));
  assert.match(own.out, /^(uprobe:\/.*:uv_fs_open\n)*$/);
  const missing = await run("-l", "missing.bt");
  assert.match(missing.err, /It appears that 'missing\.bt' is a filename/);
  assert.equal(missing.status, 0);
});

test("keys of maps in JSON have their types where the script or the environment says so", {
  skip: sameEverywhere,
}, async () => {
  const fill = 'BEGIN { @["a,b", "c"] = 1; @["a", "b,c"] = 2; exit(); }';
  const expected =
    '{"type": "map", "data": {"@": [{"key": ["a,b","c"], "value": 1}, {"key": ["a","b,c"], "value": 2}]}}';
  const inScript = await run("-q", "-f", "json", "-e", `config = { json_keys = "entries"; } ${fill}`);
  assert.deepEqual(lines(inScript.out), [expected]);
  const outside = await new Tracer(["-q", "-f", "json", "-e", fill], { BPFTRACE_JSON_KEYS: "entries" }).end();
  assert.deepEqual(lines(outside.out), [expected]);
});
