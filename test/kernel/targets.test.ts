// Targets of the command line: exactly N events inside, others outside, and only those inside are counted.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { attach } from "../../src/index.js";
import { lacks, lines, pause, run, sameEverywhere, Tracer, trace } from "../support/run.js";
import { childOf, python } from "../support/workload.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-targets-"));
// Other users open a file in it.
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

/** Nobody else opens this file. */
const mark = join(folder, "mark");
writeFileSync(mark, "");
const script = `t:syscalls:sys_enter_openat /str(args.filename) == "${mark}"/ { @opens++; }`;

/** Shell text that opens the file `n` times in the shell itself. */
const opens = (n: number): string => `i=0; while [ $i -lt ${n} ]; do : < ${mark}; i=$((i+1)); done`;
const sh = (text: string): void => {
  const { status, stderr } = spawnSync("sh", ["-c", text], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
};

const count = (out: string): number => Number(/^@opens: (\d+)$/m.exec(out)?.[1] ?? 0);

/** One that a failed test left behind would keep this file from ending. */
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill("SIGKILL");
});

/** A shell that runs `text` when it is told to go on; `ready` has been printed before. */
class Waiting {
  readonly child: ChildProcess;
  private said = "";

  constructor(text: string, options: { readonly uid?: number; readonly command?: readonly string[] } = {}) {
    const [file = "sh", ...args] = [...(options.command ?? []), "sh", "-c", text];
    this.child = spawn(file, args, {
      stdio: ["pipe", "pipe", "inherit"],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
    });
    started.push(this.child);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.said += text;
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  async ready(): Promise<this> {
    while (!this.said.includes("ready")) {
      assert.equal(this.child.exitCode, null, "it ended before it was ready");
      await pause(5);
    }
    return this;
  }

  /** Resolves when the shell has ended. */
  async go(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin?.end("go\n");
    await ended;
  }
}

test("-p counts its process, all threads of it, and nobody else", async () => {
  // Worker threads open the file 30 times each, the main thread 5 times.
  const code = `const { Worker } = require("node:worker_threads"); const fs = require("node:fs");
    const open = (n) => { for (let i = 0; i < n; i++) fs.closeSync(fs.openSync(${JSON.stringify(mark)})); };
    process.stdin.once("data", () => { open(5);
      for (let i = 0; i < 2; i++) new Worker("const fs = require('node:fs'); (" + open.toString().replace(/const open = /, "") + ")(30)", { eval: true });
      process.stdin.pause(); });
    console.log("ready");`;
  const inside = new Waiting('exec "$NODE" -e "$CODE"', {
    command: ["env", `NODE=${process.execPath}`, `CODE=${code}`],
  });
  await inside.ready();
  const { out, err } = await trace(["-p", String(inside.pid), "-e", script], async () => {
    sh(opens(7));
    await inside.go();
  });
  assert.equal(count(out), 65, err);
});

test("-p and functions of a library: all threads, and nobody else", {
  skip: lacks("uprobe") || sameEverywhere,
}, async () => {
  const code = `import os, sys, threading
def ask(n):
    for i in range(n): os.getppid()
print("ready", flush=True)
sys.stdin.readline()
ask(5)
threads = [threading.Thread(target=ask, args=(20,)) for i in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()`;
  const inside = new Waiting('exec "$PYTHON" -c "$CODE"', { command: ["env", `PYTHON=${python}`, `CODE=${code}`] });
  await inside.ready();
  // One function, several of a pattern, and their returns.
  const actions = `uprobe:libc:getppid { @one = count(); } uprobe:libc:get*pid* { @[func] = count(); }
    uretprobe:libc:get*pid* { @back[func] = count(); }`;
  const { out, err } = await trace(["-p", String(inside.pid), "-e", actions], async () => {
    sh(`${python} -c 'import os; [os.getppid() for i in range(7)]'`);
    await inside.go();
  });
  assert.ok(lines(out).includes("@one: 65"), out + err);
  assert.ok(lines(out).includes("@[getppid]: 65") && lines(out).includes("@back[getppid]: 65"), out + err);
});

test("-p samples and counts threads other than the first", async () => {
  const code = `const { Worker } = require("node:worker_threads");
    const nap = "const w = new Int32Array(new SharedArrayBuffer(4)); for (let i = 0; i < 300; i++) Atomics.wait(w, 0, 0, 1); let x = 0; for (const end = Date.now() + 1500; Date.now() < end;) x++;";
    process.stdin.once("data", () => { new Worker(nap, { eval: true }).on("exit", () => process.exit()); });
    new Worker("setTimeout(() => {}, 1e8)", { eval: true }); console.log("ready");`;
  const inside = new Waiting('exec "$NODE" -e "$CODE"', {
    command: ["env", `NODE=${process.execPath}`, `CODE=${code}`],
  });
  await inside.ready();
  const probes =
    "software:cs:1 /tid != pid/ { @switches[pid] = count(); } profile:hz:99 { @samples[pid, tid != pid] = count(); }";
  const tracer = new Tracer(["-p", String(inside.pid), "-e", probes]);
  await tracer.attached();
  await inside.go();
  const { out, err } = await tracer.end();
  const switches = Number(new RegExp(`^@switches\\[${inside.pid}\\]: (\\d+)$`, "m").exec(out)?.[1]);
  assert.ok(switches >= 300, `${out}${err}`);
  const samples = Number(new RegExp(`^@samples\\[${inside.pid}, true\\]: (\\d+)$`, "m").exec(out)?.[1]);
  assert.ok(samples >= 20, `${out}${err}`);
  for (const line of lines(out).filter((text) => text.startsWith("@")))
    assert.match(line, new RegExp(`^@\\w+\\[${inside.pid}[,\\]]`));
});

/** Three processes deep: 1 + 2 + 4 shells, each of which opens the file n times. */
const forks = (n: number): string =>
  `one() { ${opens(n)}; }; one; for a in 1 2; do (one; for b in 1 2; do (one) & done; wait) & done; wait`;

test("--tree with -c: the command, its children and theirs", async () => {
  const file = join(folder, "forks.sh");
  writeFileSync(file, forks(20));
  const tracer = new Tracer(["--tree", "-c", `sh ${file}`, "-e", script]);
  await tracer.attached();
  sh(opens(9));
  const { out, err, status } = await tracer.end();
  assert.deepEqual([count(out), status], [7 * 20, 0], err);
});

test("--tree PID: those that are there, those that come, until the last has ended", async () => {
  // A grandchild that is there already, and waits; its own children come later. The first process ends before them.
  const inside = new Waiting(
    `(sh -c 'echo ready; read x; ${opens(10)}; (${opens(20)}); (sleep 0.3; ${opens(40)}) & ' ) ; ${opens(1)}`,
  );
  await inside.ready();
  const tracer = new Tracer(["--tree", String(inside.pid), "-e", script]);
  await tracer.attached();
  sh(opens(9));
  await inside.go();
  const { out, err, status } = await tracer.end();
  assert.deepEqual([count(out), status], [71, 0], err);
});

test("--tree misses none of processes that fork all the time while the trace begins", async () => {
  // Two shells fork meanwhile. When the trace has begun each child opens the file once, until the shells are told to go on:
  // each says how many children it had.
  const flag = join(folder, "forks-flag");
  const stop = join(folder, "forks-stop");
  const totals = [1, 2].map((n) => join(folder, `total-${n}`));
  const forks = (total: string): string =>
    `(n=0; while [ ! -e ${flag} ]; do (exit 0); done; while [ ! -e ${stop} ]; do (: < ${mark}); n=$((n+1)); done; echo $n > ${total}) &`;
  const inside = new Waiting(`${totals.map(forks).join(" ")} echo ready; read go; touch ${stop}; wait`);
  await inside.ready();
  const tracer = new Tracer(["--tree", String(inside.pid), "-e", script]);
  try {
    await tracer.attached();
    writeFileSync(flag, "");
    await pause(500);
  } finally {
    await inside.go();
  }
  const { out, err } = await tracer.end();
  const made = totals.map((total) => Number(readFileSync(total, "utf8")));
  const all = made.reduce((sum, n) => sum + n, 0);
  assert.ok(!made.includes(0) && all > 5, made.join());
  assert.equal(count(out), all, err);
});

test("--uid: by number, and the name of an account", { skip: sameEverywhere }, async () => {
  const { out, err } = await trace(["--uid", "4242,nobody", "-e", script], () => {
    sh(opens(3));
    spawnSync("sh", ["-c", opens(11)], { uid: 4242 });
    spawnSync("sh", ["-c", opens(13)], { uid: 65534 });
  });
  assert.equal(count(out), 24, err);
});

test("--comm: one of several names, also of one that is longer than the kernel keeps", {
  skip: sameEverywhere,
}, async () => {
  const named = (name: string, n: number): void => sh(`printf %s ${name} > /proc/$$/comm; ${opens(n)}`);
  const { out, err } = await trace(["--comm", "quince,a-name-of-15-bytes-and-more", "-e", script], () => {
    sh(opens(3));
    named("quince", 5);
    named("quinces", 6);
    named("a-name-of-15-bytes-and-more", 8);
  });
  assert.equal(count(out), 13, err);
});

/** Where version 2 is mounted; mounted here if it is not. */
function unified(): string {
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const found = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
  if (found !== undefined) return found;
  const place = join(folder, "unified");
  mkdirSync(place);
  sh(`mount -t cgroup2 none ${place}`);
  after(() => sh(`umount ${place}`));
  return place;
}

const root = unified();
const made: string[] = [];
after(() => {
  for (const path of made.reverse()) rmdirSync(path);
});

function group(...names: string[]): string {
  const path = join(root, ...names);
  mkdirSync(path);
  made.push(path);
  return path;
}

/** A shell command that enters a group and opens the file. */
const within = (path: string, n: number): void => sh(`echo $$ > ${path}/cgroup.procs; ${opens(n)}`);

const name = `beetrace-test-${process.pid}`;
const outer = group(name);
const inner = group(name, "inner");
const sibling = group(`${name}-more`);

test("--cgroup: the group and those below it, by path or by name; not its siblings", async () => {
  for (const path of [outer, name]) {
    const { out, err } = await trace(["--cgroup", path, "-e", script], () => {
      within(outer, 4);
      within(inner, 8);
      within(sibling, 16);
      sh(opens(32));
    });
    assert.equal(count(out), 12, err);
  }
  const { out, err } = await trace(["--cgroup", inner, "--cgroup", sibling, "-e", script], () => {
    within(outer, 4);
    within(inner, 8);
    within(sibling, 16);
  });
  assert.equal(count(out), 24, err);
});

test("targets are combined: all must hold", { skip: sameEverywhere }, async () => {
  const { out, err } = await trace(["--cgroup", outer, "--uid", "4242", "--comm", "sh", "-e", script], () => {
    within(outer, 4);
    spawnSync("sh", ["-c", opens(5)], { uid: 4242 });
    sh(`echo $$ > ${outer}/cgroup.procs; exec setpriv --reuid 4242 --clear-groups sh -c '${opens(6)}'`);
  });
  assert.equal(count(out), 6, err);
});

test("--container: a process in namespaces of its own, by the first digits of its id", async () => {
  const id = "c0ffee5588a1c6d0e9b7432211f00ddbaadcafe0123456789abcdef0a1b2c3d4";
  // A process in a chroot, as in our virtual machines, may not have a user namespace of its own (user_namespaces(7)).
  const user = spawnSync("unshare", ["--user", "true"]).status === 0 ? "--user --map-root-user" : "";
  const names = [`docker-${id}.scope`, `libpod-${id}.scope`, `cri-containerd-${id}.scope`];
  for (const scope of names) {
    const path = group(scope);
    const inside = new Waiting(
      `echo $$ > ${path}/cgroup.procs; exec unshare --mount --pid ${user} --cgroup --fork sh -c 'echo ready; read x; ${opens(17)}; (${opens(3)})'`,
    );
    await inside.ready();
    const { out, err } = await trace(["--container", id.slice(0, 12), "-e", script], async () => {
      sh(opens(9));
      await inside.go();
    });
    assert.equal(count(out), 20, err);
    made.splice(made.indexOf(path), 1);
    rmdirSync(path);
  }
});

test("-p of a process in a container is its number outside", async () => {
  const inside = new Waiting(`echo ready; read x; ${opens(17)}`, { command: ["unshare", "--pid", "--fork"] });
  await inside.ready();
  const { out, err } = await trace(["-p", String(childOf(inside.pid)), "-e", script], async () => {
    sh(opens(9));
    await inside.go();
  });
  assert.equal(count(out), 17, err);
});

test("-p in a pid namespace of the tracer's own", async () => {
  const command = `${opens(0)}; (echo $$ >&2; while [ ! -e ${folder}/stop ]; do ${opens(1)}; done) & p=$!; ${process.execPath} ${join(process.cwd(), "dist/beetrace.js")} -p $p -e 't:syscalls:sys_enter_openat /str(args.filename) == "${mark}"/ { printf("seen %d %d\\n", pid, pid == '$p'); exit(); }'; kill $p`;
  const { stdout, stderr } = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "sh", "-c", command], {
    encoding: "utf8",
  });
  assert.match(stdout, /^seen \d{1,3} 1$/m, stderr);
});

test("the API takes the same targets", { skip: sameEverywhere }, async () => {
  await using running = await attach(script, { uid: ["4242"], comm: ["sh"] });
  spawnSync("sh", ["-c", opens(11)], { uid: 4242 });
  sh(opens(3));
  running.stop();
  const maps: string[] = [];
  for await (const event of running) {
    if (event.kind === "map")
      maps.push(
        `${event.map.name} ${JSON.stringify(event.map.entries[0]?.value, (_, v) => (typeof v === "bigint" ? String(v) : v))}`,
      );
  }
  assert.match(maps.join(), /^@opens .*"11"/);
});

const wrong: readonly { readonly args: readonly string[]; readonly says: readonly RegExp[] }[] = [
  { args: ["-p", "4194301"], says: [/there is no process 4194301/, /HINT: ps -e/] },
  { args: ["--tree", "4194301"], says: [/there is no process 4194301/] },
  { args: ["--tree"], says: [/--tree needs a process/, /-c/] },
  { args: ["--uid", "nobdy"], says: [/there is no user 'nobdy'/, /did you mean 'nobody'/] },
  { args: ["--uid", "4294967295"], says: [/4294967295 is no user id/] },
  { args: ["--comm", "a,"], says: [/an entry of --comm is empty/] },
  {
    args: ["--cgroup", "/nowhere/at/all"],
    says: [/there is no control group '\/nowhere\/at\/all'/, /HINT: it is a directory below/],
  },
  { args: ["--cgroup", "/tmp"], says: [/\/tmp is a directory, but not of a control group/] },
  { args: ["--container", "feed5eed"], says: [/there is no running container 'feed5eed'/] },
];
for (const { args, says } of wrong) {
  test(`${args.join(" ")} is explained`, { skip: sameEverywhere }, async () => {
    const { err, status } = await run(...args, "-e", script);
    assert.equal(status, 1);
    for (const text of says) assert.match(err, text);
  });
}

test("a control group of version 1 is explained", async (t) => {
  const v1 = /^\S+ (\S+) cgroup /m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1];
  if (v1 === undefined) return t.skip("no hierarchy of version 1 is mounted");
  const { err, status } = await run("--cgroup", v1, "-e", script);
  assert.equal(status, 1);
  assert.match(err, /is a control group of version 1/);
  assert.match(err, /which are below/);
});

test("several containers with the same first digits are named", { skip: sameEverywhere }, async () => {
  const ids = ["a1", "b2"].map((end) => `feedfeed${"0".repeat(54)}${end}`);
  for (const id of ids) group(`docker-${id}.scope`);
  const { err, status } = await run("--container", "feedfeed", "-e", script);
  assert.equal(status, 1);
  assert.match(err, /2 containers have ids that begin with 'feedfeed'/);
  for (const id of ids) assert.ok(err.includes(id));
});

test("a thread's id is explained", { skip: sameEverywhere }, async () => {
  const inside = new Waiting(
    "exec \"$NODE\" -e \"console.log('ready'); process.stdin.once('data', () => process.exit())\"",
    {
      command: ["env", `NODE=${process.execPath}`],
    },
  );
  await inside.ready();
  const thread =
    spawnSync("ls", [`/proc/${inside.pid}/task`], { encoding: "utf8" })
      .stdout.trim()
      .split("\n")[1] ?? "";
  const { err, status } = await run("-p", thread, "-e", script);
  await inside.go();
  assert.equal(status, 1);
  assert.match(err, new RegExp(`${thread} is a thread of process ${inside.pid}`));
});

test("a process that ends at once ends the trace", { skip: sameEverywhere }, async () => {
  const inside = new Waiting("echo ready; read x");
  await inside.ready();
  const tracer = new Tracer([
    "-p",
    String(inside.pid),
    "-e",
    "software:cs:1 { @ = count(); } profile:hz:99 { @p = count(); }",
  ]);
  await inside.go();
  const { err, status } = await tracer.end();
  if (status !== 0) assert.match(err, /there is no process|has ended/);
});

closeSync(openSync(mark, "r"));
