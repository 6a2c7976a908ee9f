// What differs on arm64: registers of arguments and results, stacks, operands of USDT probes, system calls, watchpoints.
// test/fixtures/c/traced.c is compiled here and says how often what happens.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compileC } from "../support/c-program.js";
import { lacks, lines, run, Tracer } from "../support/run.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-arm64-"));
after(() => rmSync(folder, { recursive: true }));
const program = join(folder, "traced");

function build(): string | false {
  if (process.arch !== "arm64") return "this machine is not arm64";
  const frames = ["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-fno-optimize-sibling-calls"];
  return compileC("traced", program, "-O2", "-g", ...frames, "-mbranch-protection=standard", "-fno-section-anchors");
}
const skip = build();
const without = (feature: string): string | false => skip || lacks(feature);

/** What a script prints while the program runs once. */
async function shown(script: string): Promise<readonly string[]> {
  const { out, err, status } = await run("-q", "-e", script.replaceAll("BIN", program), "-c", program);
  assert.equal(status, 0, err);
  return lines(out).map((line) => line.trimEnd());
}

test("kprobe and kretprobe: arguments, registers, result", { skip: without("kprobe") }, async () => {
  // mmap(0, 0x23000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
  const script = `kprobe:ksys_mmap_pgoff /comm == "traced" && arg1 == 0x23000/ {
      @calls = count(); @in[tid] = 1; @[arg0, arg1, arg2, arg3, (int32)arg4, arg5] = count();
      @same[reg("x1") == arg1, reg("r1") == arg1, reg("pc") == reg("ip"), (reg("sp") & 15) == 0, ksym(reg("pc"))] = count();
    }
    kretprobe:ksys_mmap_pgoff /@in[tid]/ { delete(@in, tid); @mapped[retval > 0x1000, (retval & 0xfff) == 0] = count(); }
    kprobe:__arm64_sys_munmap /comm == "traced"/ {
      $regs = (struct pt_regs *)arg0; @lengths[$regs->regs[1]] = count();
    }
    kretprobe:__arm64_sys_munmap /comm == "traced"/ { @unmapped[retval] = count(); } END { clear(@in); }`;
  const out = await shown(script);
  assert.ok(out.includes("@calls: 5"), out.join("\n"));
  assert.ok(out.includes("@[0, 143360, 3, 16418, -1, 0]: 5"), out.join("\n"));
  assert.ok(out.includes("@same[true, true, true, true, ksys_mmap_pgoff]: 5"), out.join("\n"));
  assert.ok(out.includes("@mapped[true, true]: 5"), out.join("\n"));
  assert.ok(out.includes("@lengths[143360]: 5"), out.join("\n"));
});

test("fentry and fexit: arguments, result", { skip: without("fentry") }, async () => {
  const script = `fentry:ksys_mmap_pgoff /comm == "traced" && args.len == 0x23000/ { @[args.prot, args.flags, args.pgoff] = count(); }
    fexit:ksys_mmap_pgoff /comm == "traced" && args.len == 0x23000/ { @mapped[retval > 0x1000] = count(); }`;
  assert.deepEqual(await shown(script), ["@[3, 16418, 0]: 5", "@mapped[true]: 5"]);
});

test("tracepoints, raw ones and system calls", { skip }, async () => {
  const script = `tracepoint:syscalls:sys_enter_mmap /comm == "traced" && args.len == 0x23000/ { @enter[args.addr, args.prot, args.off] = count(); }
    tracepoint:syscalls:sys_exit_munmap /comm == "traced"/ { @exit[args.ret] = count(); }
    tracepoint:raw_syscalls:sys_enter /comm == "traced" && args.id == 222 && args.args[1] == 0x23000/ { @raw[args.args[2]] = count(); }
    rawtracepoint:sys_enter /comm == "traced" && args.id == 173/ { @btf[((struct pt_regs *)args.regs).regs[8]] = count(); }
    tracepoint:syscalls:sys_enter_getppid /comm == "traced"/ { @[probe] = count(); }
    tracepoint:sched:sched_process_exit /args.comm == "traced"/ { @ends[args.pid == pid] = count(); }`;
  const out = await shown(script);
  for (const line of [
    "@enter[0, 3, 0]: 5",
    "@raw[3]: 5",
    "@btf[173]: 5",
    "@[tracepoint:syscalls:sys_enter_getppid]: 5",
    "@ends[true]: 1",
  ])
    assert.ok(out.includes(line), `${line}: ${out.join("\n")}`);
});

test("uprobe and uretprobe: arguments in registers and on the stack, types of DWARF, result", {
  skip: without("uprobe"),
}, async () => {
  const script = `uprobe:BIN:many { printf("%d %d %d %d %s %d %d %d\\n", (int32)arg0, arg1 >> 40, (int16)arg2, (uint8)arg3, str(arg4),
        arg6, (int64)arg7, reg("lr") > 0); }
    uprobe:BIN:many { @[args.a, args.c, args.d, str(args.e), args.f.x, args.f.y, args.g, args.h, args.i, args.j] = count(); }
    uretprobe:BIN:many { @sums[retval - (1 << 40) - (1 << 33)] = count(); @from[func] = count(); }
    uretprobe:BIN:leaf { @leaf[(int32)retval] = count(); }`;
  const out = await shown(script);
  for (const i of [1, 2, 3, 4, 5]) {
    assert.ok(out.includes(`${-i} 1 -2 200 a text 7 -8 1`), out.join("\n"));
    assert.ok(out.includes(`@[${-i}, -2, 200, a text, -3, 8589934592, 7, -8, 9, -10]: 1`), out.join("\n"));
    // -i - 2 + 200 + 6 - 3 + 7 - 8 + 9 - 10
    assert.ok(out.includes(`@sums[${199 - i}]: 1`), out.join("\n"));
    assert.ok(out.includes(`@leaf[${-i}]: 1`), out.join("\n"));
  }
  assert.ok(out.includes("@from[many]: 5"), out.join("\n"));
});

test("usdt: the operands that gcc writes", { skip: without("uprobe") }, async () => {
  const script = `usdt:BIN:traced:plain { @plain = count(); }
    usdt:BIN:traced:values { printf("values %d %d %d %s\\n", (int32)arg0, arg1 >> 40, arg2, str(arg3)); }
    usdt:BIN:traced:memory { printf("memory %d %d %d %d\\n", arg0, arg1, arg2, arg3); }
    usdt:BIN:traced:registers { printf("registers %d %d\\n", arg0, *(int64 *)arg2); }`;
  const out = await shown(script);
  for (const i of [1, 2, 3, 4, 5]) {
    for (const line of [`values ${i} ${i} ${-i} a text`, `memory -22 33 ${i} 4711`, `registers ${i} 11`])
      assert.ok(out.includes(line), `${line}: ${out.join("\n")}`);
  }
  assert.ok(out.includes("@plain: 5"), out.join("\n"));
});

test("kstack and ustack", { skip: without("kprobe") }, async () => {
  const script = `config = { show_debug_info = false }
    tracepoint:syscalls:sys_enter_getppid /comm == "traced"/ { @inside[ustack] = count(); }
    uprobe:BIN:leaf { @entry[ustack] = count(); @caller[usym(reg("lr"))] = count(); }
    kprobe:ksys_mmap_pgoff /comm == "traced" && arg1 == 0x23000/ { @kernel[kstack] = count(); }`;
  const maps = (await shown(script)).join("\n").split(/^@/m);
  /** The only stack of a map, innermost function first. */
  const stack = (name: string): readonly string[] => {
    const text = maps.find((map) => map.startsWith(`${name}[`)) ?? "";
    assert.match(text, /^\]: 5$/m, maps.join("@"));
    return [...text.matchAll(/^ +(\S+?)(?:\+\d+)?$/gm)].map(([, frame = ""]) => frame);
  };
  assert.deepEqual(stack("inside").slice(0, 4), ["leaf", "middle", "chain", "main"]);
  assert.equal(stack("inside").at(-1), "_start");
  // arm64's kernel leaves out the caller of a function that has not yet begun: its address is in a register only.
  assert.deepEqual(stack("entry").slice(0, 3), ["leaf", "chain", "main"]);
  assert.ok(maps.includes("caller[middle]: 5\n"), maps.join("@"));
  assert.deepEqual(stack("kernel").slice(0, 2), ["ksys_mmap_pgoff", "invoke_syscall"]);
  assert.equal(stack("kernel").at(-1), "el0t_64_sync");
});

test("profile and interval", { skip }, async () => {
  // A timer that finds its processor late goes on with what is to come: on a busy host there are fewer samples, never more.
  const { out, err } = await run(
    "-q",
    "-e",
    `BEGIN { @from = nsecs; }
     profile:hz:49 { @[cpu] = count(); }
     interval:ms:500 { @ticks++; if (@ticks == 6) { printf("took %ld\\n", nsecs - @from); exit(); } }`,
  );
  const seconds = Number(/^took (\d+)$/m.exec(out)?.[1]) / 1e9;
  assert.ok(seconds >= 3, out + err);
  assert.match(out, /^@ticks: 6$/m);
  const samples = [...out.matchAll(/^@\[\d+\]: (\d+)$/gm)].map(([, n]) => Number(n));
  assert.ok(samples.length > 0 && samples.every((n) => n >= 10 && n <= 49 * (seconds + 0.5)), out + err);
});

test("-p, and watchpoints of what is written and of what runs", { skip: without("breakpoint") }, async () => {
  const child = spawn(program, ["wait"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [said] = (await once(child.stdout, "data")) as [Buffer];
    const [variable = "", code = ""] = said.toString().trim().split(" ");
    const script = `watchpoint:${variable}:8:w { @written = count(); } watchpoint:${code}:4:x { @run[reg("pc") == ${code}, reg("x0") < 6] = count(); }
      uprobe:${program}:chain { @chain = count(); @pids[pid == ${child.pid}] = count(); }`;
    const tracer = new Tracer(["-p", String(child.pid), "-e", script]);
    await tracer.attached();
    child.stdin.write("\n");
    const ended = once(child, "exit");
    setTimeout(() => child.stdin.write("\n"), 2000);
    await ended;
    const { out, err } = await tracer.end();
    for (const line of ["@written: 5", "@run[true, true]: 5", "@chain: 5", "@pids[true]: 5"])
      assert.ok(lines(out).includes(line), `${line}: ${out}${err}`);
  } finally {
    child.kill("SIGKILL");
  }
});

test("dw_ustack says that it is for x86-64 only", { skip }, async () => {
  const { err, status } = await run("-e", `uprobe:${program}:leaf { print(dw_ustack); }`, "-c", program);
  assert.match(
    err,
    /dw_ustack knows the tables of x86-64 only, not of arm64\n[\s\S]*ustack takes its stacks by frame pointers/,
  );
  assert.equal(status, 1);
});

test("-l and --info", { skip: without("kprobe") }, async () => {
  const listed = await run("-l", "kprobe:__arm64_sys_open*");
  assert.ok(lines(listed.out).includes("kprobe:__arm64_sys_openat"), listed.out + listed.err);
  const typed = await run("-lv", "fentry:ksys_mmap_pgoff");
  assert.match(typed.out, /^ {4}long unsigned int len$/m);
  const { out } = await run("--info");
  assert.match(out, /^ {2}Kernel: \S+ arm64$/m);
});
