// The programs of bench/stacks.mjs. Each is made in a folder and can then be started again and again; whoever starts one gets
// the process to trace, and ends it.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function made(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

function file(folder, name, text) {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function compiled(folder, compiler, name, text, ...flags) {
  const program = join(folder, name.split(".")[0]);
  made(compiler, [...flags, "-o", program, file(folder, name, text)]);
  return program;
}

/** A command that works until it is ended. */
const running = (...command) => ({
  start: () => {
    // Node.js writes a log where it is: beside its script.
    const child = spawn(command[0], command.slice(1), { cwd: dirname(command.at(-1)), stdio: "ignore" });
    return { pid: child.pid, end: () => child.kill("SIGKILL") };
  },
});

/** A child of a process that runs `program`. */
async function childOf(pid, program) {
  for (let tries = 0; tries < 500; tries++, await pause(10)) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "latin1").startsWith(program));
    if (found !== undefined) return Number(found);
  }
  throw new Error(`process ${pid} does not start ${program}`);
}

const cWork = `#include <stdlib.h>
static int order(const void *a, const void *b) { int x = *(const int *)a, y = *(const int *)b; return (x > y) - (x < y); }
__attribute__((noinline)) static int deep(int n, int *v, int len) {
  if (n > 0) { int r = deep(n - 1, v, len); __asm__ volatile("" : : : "memory"); return r + 1; }
  for (int i = 0; i < len; i++) v[i] = rand();
  qsort(v, len, sizeof *v, order);
  return v[0];
}
int main(void) { static int v[500]; for (;;) deep(10, v, 500); }`;
const frameless = ["-O2", "-fomit-frame-pointer"];

const cppWork = `#include <algorithm>\n#include <cstdlib>\n#include <functional>\n#include <vector>
struct Job { virtual long run(int n) = 0; };
struct Sort : Job { std::vector<int> v; std::function<bool(int, int)> less = [](int a, int b) { return a < b; };
  __attribute__((noinline)) long run(int n) override { if (n > 0) { long r = run(n - 1); asm volatile("" : : : "memory"); return r + 1; }
    v.resize(400); for (int &x : v) x = rand(); std::sort(v.begin(), v.end(), less); return v[0]; } };
int main() { Sort sort; for (;;) sort.run(8); }`;

const rustWork = `use std::collections::HashMap;
trait Job { fn run(&mut self, n: u32) -> usize; }
struct Count { words: HashMap<String, usize>, seed: u64 }
impl Job for Count {
    #[inline(never)]
    fn run(&mut self, n: u32) -> usize {
        if n > 0 { let r = self.run(n - 1); return std::hint::black_box(r) + 1; }
        self.words.clear();
        let mut all: Vec<String> = (0..200).map(|_| { self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1); format!("{}", self.seed >> 40) }).collect();
        all.sort_by(|a, b| b.cmp(a));
        for word in all { *self.words.entry(word).or_insert(0) += 1; }
        self.words.len()
    }
}
fn main() { let mut job: Box<dyn Job> = Box::new(Count { words: HashMap::new(), seed: 1 }); loop { job.run(8); } }`;

const pythonWork = `import json, re
def leaf(n): return json.dumps(list(range(n))), re.findall('a+b', 'aab' * n)
def outer(n): return leaf(n)
while True: outer(300)
`;

const nodeWork = `function leaf(n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
function outer() { return leaf(22); }
for (;;) outer();
`;

/** Each works for 5 ms in leaf(); its parent waits for a line before it starts the first of them. */
const shortWork = (
  count,
) => `#include <stdio.h>\n#include <string.h>\n#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>
static volatile int sink;
__attribute__((noinline, noclone)) void leaf(void) { sink++; }
__attribute__((noinline)) static void chain(int n) { if (n > 0) chain(n - 1); else leaf(); sink++; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
int main(int argc, char **argv) {
  if (argc > 1) { double end = now() + 5; chain(5); while (now() < end) sink++; return 0; }
  getchar();
  for (int i = 0; i < ${count}; i++) {
    if (fork() == 0) { execl(argv[0], argv[0], "child", (char *)0); _exit(1); }
    wait(0);
  }
}`;

/** A server and a client on a Unix socket; the process is the backend that serves the client. */
function postgres(folder) {
  const user = made("id", ["-u", "postgres"]).trim();
  const as = { uid: Number(user), gid: Number(made("id", ["-g", "postgres"]).trim()), cwd: "/" };
  const bin = made("pg_config", ["--bindir"]).trim();
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  made("chown", ["-R", "postgres:", folder]);
  made(join(bin, "initdb"), ["-D", data, "-A", "trust", "--no-sync"], as);
  const settings = ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"];
  const server = spawn(join(bin, "postgres"), settings, { ...as, stdio: "ignore" });
  const client = (...args) => spawn("pgbench", ["-h", folder, "-n", ...args, "postgres"], { ...as, stdio: "ignore" });
  return {
    start: async () => {
      for (let tries = 0; spawnSync("pg_isready", ["-h", folder]).status !== 0; tries++, await pause(100))
        if (tries === 100) throw new Error("PostgreSQL does not answer");
      if (!existsSync(join(folder, "filled"))) {
        made("pgbench", ["-h", folder, "-i", "-q", "postgres"], as);
        writeFileSync(join(folder, "filled"), "");
      }
      const load = client("-S", "-T", "60");
      // Its first connection only asks.
      await pause(500);
      const pid = await childOf(server.pid, "postgres: postgres postgres");
      const end = async () => {
        load.kill("SIGKILL");
        // Its backend must not be taken for the next one's.
        while (existsSync(`/proc/${pid}`)) await pause(10);
      };
      return { pid, end };
    },
    close: () => new Promise((resolve) => server.once("exit", resolve).kill("SIGINT")),
  };
}

/** A program with its libraries in a root directory, a mount and a process namespace of its own. */
function container(folder) {
  const root = join(folder, "root");
  const program = compiled(folder, "gcc", "inside.c", cWork, ...frameless);
  const libraries = [...made("ldd", [program]).matchAll(/(\/\S+) \(/g)].map(([, path]) => path);
  for (const path of [program, ...libraries]) {
    const copy = path === program ? join(root, "inside") : join(root, path);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(realpathSync(path), copy);
  }
  const isolate = ["--mount", "--pid", "--fork", "--kill-child", `--root=${root}`, "/inside"];
  return {
    start: async () => {
      const outer = spawn("unshare", isolate, { stdio: "ignore" });
      return { pid: await childOf(outer.pid, "/inside"), end: () => outer.kill("SIGKILL") };
    },
  };
}

/** Many processes one after the other, from when `begin` is called; `ended` settles behind the last. */
function short(folder) {
  const program = compiled(folder, "gcc", "short.c", shortWork(1000), ...frameless);
  return {
    probe: `uprobe:${program}:leaf`,
    start: () => {
      const child = spawn(program, { stdio: ["pipe", "ignore", "ignore"] });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      return { pid: child.pid, begin: () => child.stdin.end("\n"), ended, end: () => child.kill("SIGKILL") };
    },
  };
}

/** By name; each is given an empty folder. */
export const programs = {
  c: (folder) => running(compiled(folder, "gcc", "c.c", cWork, ...frameless)),
  cpp: (folder) => running(compiled(folder, "g++", "cpp.cc", cppWork, "-O2")),
  rust: (folder) => running(compiled(folder, "rustc", "rust.rs", rustWork, "-O")),
  python: (folder) => running("/usr/bin/python3", file(folder, "work.py", pythonWork)),
  postgres,
  node: (folder) => running(process.execPath, file(folder, "work.js", nodeWork)),
  "node-perf": (folder) => running(process.execPath, "--perf-basic-prof", file(folder, "work.js", nodeWork)),
  container,
  short,
};
