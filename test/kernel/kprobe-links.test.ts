// Links for many functions: entries and returns of the same ones in one (sessions), and names that several functions share.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacks, lines, sameElsewhere, trace } from "../support/run.js";
import { shell } from "../support/workload.js";

const skip = lacks("kprobe");

/** Sleeps in the kernel for a moment, `count` times, in a process of that name. */
function sleep(count: number): void {
  const turns = `for i in $(seq ${count}); do /tmp/beetrace-sess 0.001; done`;
  shell(`cp /bin/sleep /tmp/beetrace-sess && ${turns}; rm -f /tmp/beetrace-sess`);
}

const mine = `/comm == "beetrace-sess"/`;

test("both actions run at each call, and know where they are", { skip }, async () => {
  for (const pattern of ["hrtimer_nanosleep", "*hrtimer_nanosleep*"]) {
    const script = `kprobe:${pattern} ${mine} { @in[probe, func] = count(); @depth[tid] = arg0 != 0; }
      kretprobe:${pattern} ${mine} { @out[probe, func, retval] = count(); delete(@depth, tid); }`;
    const { out, err } = await trace(["-e", script], () => sleep(7));
    const printed = lines(out);
    assert.ok(printed.includes("@in[kprobe:hrtimer_nanosleep, hrtimer_nanosleep]: 7"), out + err);
    assert.ok(printed.includes("@out[kretprobe:hrtimer_nanosleep, hrtimer_nanosleep, 0]: 7"), out + err);
    assert.ok(!out.includes("@depth["), out);
  }
});

test("an action of the returns with loops, scratch memory and an early end", {
  skip: skip || sameElsewhere,
}, async () => {
  const script = `
    kprobe:hrtimer_nanosleep ${mine} { $i = 0; while ($i < 5) { @in += $i; $i++; } if (@in > 0) { return; } @in = 0; }
    kretprobe:hrtimer_nanosleep ${mine} { for ($j : 0..4) { @out += $j; } printf("%s %s\\n", comm, str(kaddr("linux_banner"), 20)); }`;
  const { out, err } = await trace(["-e", script], () => sleep(3));
  assert.ok(lines(out).includes("@in: 30") && lines(out).includes("@out: 18"), out + err);
  assert.equal(lines(out).filter((line) => line.startsWith("beetrace-sess Linux version")).length, 3, out + err);
});

test("counted once, as one link", { skip: skip || lacks("kprobeSession") }, async () => {
  const both = "kprobe:hrtimer_nanosleep { @in = count(); } kretprobe:hrtimer_nanosleep { @out = count(); }";
  const joined = await trace(["-e", both], () => undefined);
  assert.match(joined.err, /^Attached 1 probe$/m);
  // A third action at the place: the order of the script's is worth more.
  const three = await trace(["-e", `${both} kretprobe:hrtimer_nanosleep { @again = count(); }`], () => undefined);
  assert.match(three.err, /^Attached 3 probes$/m);
});

test("override() has a link of its own", { skip: skip || lacks("overrideReturn") }, async () => {
  const script = `kprobe:*sys_getcpu /comm == "no such name"/ { override(1); } kretprobe:*sys_getcpu { @ = count(); }`;
  const { err } = await trace(["--unsafe", "-e", script], () => undefined);
  assert.match(err, /^Attached \d+ probes?$/m);
  assert.doesNotMatch(err, /ERROR|EINVAL/);
});

test("functions of a pattern that share names are told from each other by their addresses", {
  skip: skip || lacks("kprobeMulti"),
}, async () => {
  // Many functions are called name_show or so; this one shows /proc/PID/comm.
  const script = `config = { max_probes = 20000 }
    kprobe:*_show /comm == "beetrace-show"/ { @all = count(); }
    kprobe:*_show /comm == "beetrace-show"/ { @[func] = count(); }`;
  const { out, err } = await trace(["-e", script], () => {
    const turns = "for i in 1 2 3 4 5 6 7; do read name < /proc/self/comm; done";
    shell(`cp /bin/bash /tmp/beetrace-show && /tmp/beetrace-show -c '${turns}'; rm -f /tmp/beetrace-show`);
  });
  assert.ok(lines(out).includes("@[comm_show]: 7"), out + err);
  const others = lines(out).filter((line) => line.startsWith("@[") && !line.startsWith("@[comm_show]"));
  const rest = others.reduce((sum, line) => sum + Number(line.split(": ")[1]), 0);
  assert.ok(lines(out).includes(`@all: ${7 + rest}`), out + err);
});
