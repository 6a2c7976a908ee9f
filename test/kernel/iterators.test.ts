// BPF iterators: what they say of a process of ours is what /proc says of it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lacks, lines, pause, run, sameEverywhere } from "../support/run.js";

const skip = lacks("iter");

/** A process that has stopped itself, with files of its own: what its loader has opened and mapped is as it stays. */
async function stopped(
  stdio: readonly (number | "ignore")[] = ["ignore"],
): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn("/bin/sh", ["-c", "kill -STOP $$"], { stdio: [...stdio] });
  const { pid } = child;
  assert.ok(pid !== undefined);
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1"))) await pause(5);
  return Object.assign(child, { pid });
}

test("the tasks of a process", { skip }, async () => {
  const child = await stopped();
  try {
    const script = 'iter:task { printf("%s %d\\n", ctx.task.comm, ctx.task.pid); @n = count(); }';
    const { out, err, status } = await run("-q", "-e", script, "-p", `${child.pid}`);
    // Behind the last task the pointer is null: that round ends at its first use.
    assert.deepEqual([lines(out), err, status], [[`sh ${child.pid}`, "@n: 1"], "", 0]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("comm(PID): the name of another process, and of none", { skip }, async () => {
  const child = await stopped();
  try {
    const script = "iter:task { @ = comm($1); @none = comm(4194305); }";
    const { out, err } = await run("-q", "-e", script, "-p", `${child.pid}`, `${child.pid}`);
    const known = await run("-q", "-e", 'begin { print(kfunc_exist("bpf_task_from_pid")); }');
    if (lines(known.out)[0] === "false") {
      assert.match(err, /comm\(PID\) needs bpf_task_from_pid\(\), which this kernel has not/);
      return;
    }
    assert.deepEqual(lines(out), ["@: sh", "@none: N/A"]);
    assert.match(err, /^(?:\S+ WARNING: No such process \(pid=4194305\)\n)+$/);
  } finally {
    child.kill("SIGKILL");
  }
});

test("every thread of every process, by itself; the script ends", { skip: skip || sameEverywhere }, async () => {
  const { out, status } = await run("-e", "iter:task { @[ctx.task.tgid] = count(); } end { print(1); }");
  assert.equal(status, 0);
  assert.match(out, new RegExp(`^@\\[${process.pid}\\]: ${readdirSync("/proc/self/task").length}$`, "m"));
  assert.equal(lines(out)[0], "1");
});

test("the files of a process, 0 among them", { skip }, async () => {
  const file = openSync("/dev/null", "r");
  const child = await stopped([file, file, file, file, file]);
  closeSync(file);
  try {
    // One that the test runner leaves open may be among them.
    const fds = readdirSync(`/proc/${child.pid}/fd`)
      .map(Number)
      .sort((a, b) => a - b);
    assert.ok(fds.length >= 5);
    const script = 'iter:task_file { printf("%d %s\\n", ctx.fd, str(ctx.file.f_path.dentry.d_name.name)); }';
    const { out } = await run("-q", "-e", script, "-p", `${child.pid}`);
    assert.deepEqual(
      lines(out).map((line) => (/^[0-4] /.test(line) ? line : Number.parseInt(line, 10))),
      fds.map((fd) => (fd < 5 ? `${fd} null` : fd)),
    );
  } finally {
    child.kill("SIGKILL");
  }
});

test("the mappings of a process", { skip }, async () => {
  const child = await stopped();
  try {
    const script = 'iter:task_vma { printf("%lx-%lx\\n", ctx.vma.vm_start, ctx.vma.vm_end); }';
    const { out } = await run("-q", "-e", script, "-p", `${child.pid}`);
    const maps = readFileSync(`/proc/${child.pid}/maps`, "utf8");
    const expected = lines(maps)
      // No mapping of the process's own, but a page at a fixed address.
      .filter((line) => !line.endsWith("[vsyscall]"))
      .map((line) => line.replace(/ .*/, "").replace(/\b0+(?=.)/g, ""));
    assert.ok(expected.length > 5);
    assert.deepEqual(lines(out), expected);
  } finally {
    child.kill("SIGKILL");
  }
});

test("nothing is lost, however small the ring, and nothing runs twice", { skip }, async () => {
  const script = `config = { perf_rb_pages = 1 } iter:task_vma { printf("%-100s\\n", ctx.task.comm); @n = count(); @[ctx.vma.vm_mm, ctx.vma.vm_start, ctx.task.pid] = count(); }
    end { for ($kv : @) { if ($kv.1 > 1) { printf("twice\\n"); } } clear(@); }`;
  const { out, err } = await run("-q", "-e", script);
  const said = lines(out);
  const count = said.at(-1);
  assert.equal(count, `@n: ${said.length - 1}`, err);
  // One page holds 4096 bytes.
  assert.ok(said.length > 100, `${said.length}`);
  assert.ok(!out.includes("twice"));
  assert.equal(err, "");
});

test("exit() ends the action for one object, of which others only printf is seen; the exit status is its own", {
  skip: skip || sameEverywhere,
}, async () => {
  const script = 'iter:task { printf("%d\\n", ctx.task.tgid); print("once"); exit(3); @never = 1; }';
  const { out, status } = await run("-q", "-e", script);
  assert.equal(lines(out).filter((line) => line === "once").length, 1);
  assert.ok(lines(out).includes(String(process.pid)));
  assert.equal(status, 3);
  assert.ok(!out.includes("@never"));
});

test("beside other probes an iterator comes first, and the trace goes on", { skip }, async () => {
  const script = `iter:task { @seen[ctx.task.pid] = 1; } interval:ms:50 { print(@seen[${process.pid}]); exit(); }`;
  const { out } = await run("-q", "-e", script);
  assert.equal(lines(out)[0], "1");
});

test("a pinned iterator runs for whoever reads its file", { skip }, async () => {
  const name = `beetrace_test_${process.pid}`;
  const path = `/sys/fs/bpf/${name}`;
  try {
    const script = `iter:task:${name} /ctx.task.pid == ${process.pid}/ { printf("%-6d|%s|%x|%c|100%%|%5d|%lu\\n", ctx.task.pid, "text", 255, 65, -1, 1 << 40); @ = count(); }`;
    const { out, err, status } = await run("-q", "-e", script);
    assert.deepEqual([lines(out), status], [[`Program pinned to ${path}`], 0], err);
    // 0xcafe4a11 is BPF_FS_MAGIC: it was mounted, if it was not.
    assert.equal(statfsSync("/sys/fs/bpf").type, 0xcafe4a11);
    for (let i = 0; i < 2; i++) {
      assert.equal(readFileSync(path, "utf8"), `${String(process.pid).padEnd(6)}|text|ff|A|100%|   -1|${2 ** 40}\n`);
    }
    const again = await run("-q", "-e", script);
    assert.match(again.err, /EEXIST/);
    assert.equal(again.status, 1);
  } finally {
    rmSync(path, { force: true });
  }
});

test("a pin outside of a bpf file system is refused clearly", { skip: skip || sameEverywhere }, async () => {
  const folder = mkdtempSync(join("/tmp", "beetrace-"));
  try {
    const { err, status } = await run("-e", `iter:task:${folder}/list { printf("%d\\n", ctx.task.pid); }`);
    assert.match(err, /Unable to attach probe: iter:task:\S+: bpf\(BPF_OBJ_PIN/);
    assert.equal(status, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every iterator that is listed can be read, or the message says why not", { skip }, async () => {
  const { out } = await run("-l", "iter:*");
  const listed = lines(out);
  assert.ok(listed.includes("iter:bpf_prog"));
  for (const name of listed) {
    const { err, status } = await run("-q", "-e", `${name} { @ = count(); }`);
    if (status !== 0) assert.match(err, /goes over the elements of one map/, name);
  }
});

test("-l lists them, and -lv what they have", { skip: skip || sameEverywhere }, async () => {
  const { out } = await run("-lv", "iter:task_*");
  const listed = out.split("\n");
  assert.ok(listed.includes("iter:task_file"));
  assert.equal(listed[listed.indexOf("iter:task_vma") + 1], "    struct task_struct * task");
});
