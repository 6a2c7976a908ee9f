// What cannot be recorded is counted, and the counts are exact.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compileC } from "../support/c-program.js";
import { isEmulated, lacks, lines, run, sameEverywhere, sinceLinux, Tracer, trace } from "../support/run.js";
import { python, shell } from "../support/workload.js";

const withEnv = (env: Record<string, string>, ...args: string[]) => new Tracer(args, env).end();

test("updates of a full map are counted, with the map's name", async () => {
  const script = "BEGIN { $i = 0; unroll (10) { @x[$i] = 1; @c[$i] = count(); @n[$i]++; $i++; } exit(); }";
  const { out, err } = await withEnv({ BPFTRACE_MAX_MAP_KEYS: "4" }, "-e", script);
  for (const map of ["@x", "@c", "@n"]) {
    assert.equal(lines(out).filter((line) => line.startsWith(`${map}[`)).length, 4, map);
    assert.match(err, new RegExp(`lost 6 updates of ${map}\\.`));
  }
});

test("events that the ring has no room for are counted: printed and lost make all", async () => {
  const script = 'interval:ms:10 { $i = 0; while ($i < 1000) { printf("%d\\n", $i); $i++; } exit(4); }';
  const { out, err, status } = await withEnv({ BPFTRACE_PERF_RB_PAGES: "1" }, "-e", script);
  // exit() found no room either, and still ends the trace.
  assert.equal(status, 4);
  const printed = lines(out).length;
  const lost = Number(/Lost (\d+) events/.exec(err)?.[1]);
  assert.ok(printed > 100 && lost > 0, `${printed} printed, ${err}`);
  assert.equal(printed + lost, 1000);
});

test("losses stand in the JSON, too", { skip: sameEverywhere }, async () => {
  const { out } = await withEnv(
    { BPFTRACE_MAX_MAP_KEYS: "1" },
    "-f",
    "json",
    "-e",
    "BEGIN { @x[1] = 1; @x[2] = 1; exit(); }",
  );
  const events = lines(out).map((line) => JSON.parse(line) as { type: string; data?: unknown });
  assert.ok(
    events.some((event) => event.type.startsWith("lost") || JSON.stringify(event).includes("map-full")),
    out,
  );
});

test("nothing is reported when nothing is lost: 200,000 events arrive", async () => {
  const script =
    't:syscalls:sys_exit_read /comm == "dd" && args.ret == 1/ { printf("%d\\n", args.ret); @n = count(); }';
  const { out, err } = await run("-e", script, "-c", "dd if=/dev/zero of=/dev/null bs=1 count=200000 status=none");
  assert.match(out, /^@n: 200000$/m);
  const printed = lines(out).filter((line) => line === "1").length;
  // A processor that is emulated may stand still for longer than the ring's lock lets others wait (rqspinlock, Linux 6.15).
  const lost = isEmulated() ? Number(/Lost (\d+) events/.exec(err)?.[1] ?? 0) : 0;
  assert.equal(printed + lost, 200_000);
  if (lost === 0) assert.doesNotMatch(err, /[Ll]ost|[Mm]issed/);
});

test("four processes at once add to one map, and no addition is missing", async () => {
  const script =
    't:syscalls:sys_exit_read /comm == "dd" && args.ret == 1/ { @plain++; @bytes += args.ret; @keyed[0] += 2; @count = count(); }';
  const { out } = await trace(
    ["-e", script],
    () => void shell("for i in 1 2 3 4; do dd if=/dev/zero of=/dev/null bs=1 count=30000 status=none & done; wait"),
  );
  assert.deepEqual(lines(out), ["@bytes: 120000", "@count: 120000", "@keyed[0]: 240000", "@plain: 120000"]);
});

test("a uprobe that fires in two threads of one CPU at once loses nothing", { skip: lacks("uprobe") }, async () => {
  const script = "uprobe:/bin/bash:main { @calls = count(); @by[comm] = count(); }";
  const { out } = await trace(["-e", script], () => void shell("for i in $(seq 40); do /bin/bash -c : & done; wait"));
  assert.match(out, /^@calls: 40$/m);
});

test("returns that the kernel has no room to remember are counted", {
  skip: lacks("kprobe") || sinceLinux(6, 7),
}, async () => {
  // Kretprobes remember ten calls, or two for each processor; sessions and links for many functions two for each.
  const sleepers = `import threading, time
open("/proc/self/comm", "w").write("beetrace-nap")
threads = [threading.Thread(target=time.sleep, args=(2,)) for i in range(300)]
for thread in threads: thread.start()
for thread in threads: thread.join()`;
  const place = '/comm == "beetrace-nap"/ { @ = count(); }';
  for (const probe of ["kretprobe:hrtimer_nanosleep", "kretprobe:hrtimer_nanosleep*"]) {
    const { out, err } = await trace(["-e", `${probe} ${place}`], () => {
      shell(`${python} -c '${sleepers}'`);
    });
    const seen = Number(/^@: (\d+)$/m.exec(out)?.[1] ?? 0);
    const missed = Number(/^Missed (\d+) calls of kretprobe/m.exec(err)?.[1] ?? 0);
    // Others may sleep, too.
    assert.ok(seen > 0 && seen + missed >= 300 && seen + missed < 330, `${probe}: ${seen} seen, ${err}`);
  }
});

test("returns of functions that are nested too deep are lost, and that is told", {
  skip: lacks("uprobe"),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-losses-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "nested");
  const problem = compileC("nested", program, "-O1");
  if (problem !== false) return t.skip(problem);
  const script = `uprobe:${program}:down { @calls++ } uretprobe:${program}:down { @returns++ }`;
  const counts = async (calls: number) => {
    const { out, err, status } = await run("-q", "-e", script, "-c", `${program} ${calls}`);
    assert.equal(status, 0, err);
    return [...lines(out).filter((line) => line !== ""), /returns may be missing: 1 times 64 calls/.test(err)];
  };
  assert.deepEqual(await counts(63), ["@calls: 63", "@returns: 63", false]);
  // The kernel keeps 64 calls of a thread: the innermost 36 return unseen.
  assert.deepEqual(await counts(100), ["@calls: 100", "@returns: 64", true]);
});
