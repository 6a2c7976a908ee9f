// A trace ends when it is told to, whatever its output, its ring or its commands are doing, and leaves nothing behind.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lines, pause, program, run, sameEverywhere, Tracer } from "../support/run.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-endings-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const e = (script: string, ...more: readonly string[]): readonly string[] => ["--unsafe", ...more, "-e", script];
const spam = 'interval:us:200 { printf("%s\\n", "a line that is long enough to fill a pipe soon"); @n = count(); }';

test("begin and end say all that they have to say", async () => {
  const script = `begin { for ($i : 0..100000) { printf("b%d\\n", $i); } exit(); }
    end { for ($i : 0..400000) { printf("e%d\\n", $i); } @m = 5; clear(@m); print("the end"); }`;
  const { out, err } = await run("-q", ...e(script), "-o", join(folder, "said"));
  assert.deepEqual([out, err], ["", ""]);
  const said = readFileSync(join(folder, "said"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  assert.equal(said.length, 500_001);
  assert.deepEqual(
    [said[0], said[99_999], said[100_000], said[499_999], said[500_000]],
    ["b0", "b99999", "e0", "e399999", "the end"],
  );
});

test("control is never lost: maps are printed and emptied behind a full ring", async () => {
  // One event that has more to say than the ring has room for; only begin and end can wait.
  const script = `begin { @m = 1; } interval:ms:100 { for ($i : 0..20000) { printf("%d\\n", $i); } print(@m); clear(@m); time("the end\\n");
    exit(); }`;
  const tracer = new Tracer(["-q", ...e(script)], { BPFTRACE_PERF_RB_PAGES: "4" });
  const { out, err, status } = await tracer.end();
  assert.equal(status, 0);
  assert.match(err, /Lost \d+ events/);
  const last = lines(out).slice(-2);
  assert.deepEqual(last, ["@m: 1", "the end"]);
});

test("control stands where it was asked for among what is printed", async () => {
  const script = `begin { printf("a\\n"); @x = 1; print(@x); printf("b\\n"); clear(@x); printf("c\\n"); print(@x); time("d\\n");
    printf("e\\n"); exit(); }`;
  const { out } = await run("-q", ...e(script));
  assert.deepEqual(lines(out), ["a", "@x: 1", "b", "c", "@x: 0", "d", "e"]);
});

test("what has no room even in the ring of control is done once, behind all", async () => {
  const script = `begin { for ($i : 0..30000) { clear(@other); @other = 1; } @m = 7; print(@m); exit(); }`;
  const { out, err } = await run("-q", ...e(script));
  assert.deepEqual([lines(out), err], [["@m: 7", "@m: 7"], ""]);
});

for (const [name, target] of [
  ["a full disk", "/dev/full"],
  ["a limit of the file's size", join(folder, "limited")],
] as const)
  test(`${name} ends the trace with its message`, { skip: sameEverywhere }, () => {
    const command = `ulimit -f 16; exec '${process.execPath}' '${program}' -q -e '${spam.replaceAll("'", "")}' > ${target}`;
    const { status, stderr } = spawnSync("/bin/bash", ["-c", command], { encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 1);
    assert.match(stderr, /ERROR: cannot write the output: (ENOSPC|EFBIG)/);
  });

/** A run whose output nobody reads: pipes, or sockets as Node.js makes them for its children. */
function unread(
  script: string,
  kind: "pipe" | "socket",
): { readonly child: ChildProcess; readonly release: () => void } {
  if (kind === "socket") {
    const child = spawn(process.execPath, [program, ...e(script)], { stdio: ["ignore", "pipe", "ignore"] });
    child.stdout?.pause();
    return { child, release: () => child.stdout?.destroy() };
  }
  const path = join(folder, `fifo-${Math.random()}`);
  spawnSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, "w");
  const child = spawn(process.execPath, [program, ...e(script)], { stdio: ["ignore", writer, "ignore"] });
  closeSync(writer);
  return { child, release: () => closeSync(reader) };
}

const ended = (child: ChildProcess): Promise<string | number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.signalCode ?? child.exitCode);
    else child.once("exit", (code, signal) => resolve(signal ?? code));
  });

for (const kind of ["pipe", "socket"] as const)
  test(`signals are heard while nobody reads a ${kind}`, { skip: sameEverywhere }, async () => {
    const { child, release } = unread(spam, kind);
    await pause(1500);
    child.kill("SIGINT");
    await pause(300);
    assert.deepEqual([child.exitCode, child.signalCode], [null, null], "what is left to say waits for a reader");
    child.kill("SIGTERM");
    assert.equal(await ended(child), "SIGTERM");
    release();
  });

test("cat() of a pipe without a writer and a long command are left at the first signal", {
  skip: sameEverywhere,
}, async () => {
  const fifo = join(folder, "silent");
  spawnSync("mkfifo", [fifo]);
  for (const script of [`begin { cat("${fifo}"); printf("behind\\n"); }`, 'interval:ms:50 { system("sleep 1000"); }']) {
    const tracer = new Tracer(["-q", ...e(`${script} interval:s:100 { }`)]);
    await pause(1000);
    tracer.process.kill("SIGTERM");
    const { err, status } = await tracer.end();
    assert.equal(status, 0);
    assert.match(err, /left out: they were still waiting/);
  }
});

test("a command that fails is told", { skip: sameEverywhere }, async () => {
  const { out, err } = await run("-q", ...e('begin { system("echo said; exit 3"); system("kill -9 $$"); exit(); }'));
  assert.equal(out.trim(), "said");
  assert.match(err, /command exited with code 3: system\("echo said; exit 3"\)/);
  assert.match(err, /command was ended by SIGKILL/);
});

test("the command of -c ends with its tracer, whether it runs or waits", { skip: sameEverywhere }, async () => {
  for (const wait of [0, 100, 400, 800, 1200]) {
    const seconds = `7${String(wait).padStart(4, "0")}`;
    const child = spawn(process.execPath, [program, "-q", "-c", `sleep ${seconds}`, "-e", "interval:s:9 { }"]);
    await pause(wait);
    child.kill("SIGKILL");
    await ended(child);
    for (let i = 0; i < 50 && spawnSync("pgrep", ["-f", `sleep ${seconds}`]).status === 0; i++) await pause(20);
    assert.notEqual(spawnSync("pgrep", ["-f", `sleep ${seconds}`]).status, 0, `killed after ${wait} ms`);
  }
});

test("a command that cannot be executed is an error", { skip: sameEverywhere }, async () => {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  };
  const broken = file("broken", "\x7fELF and nothing else");
  const orphan = file("orphan", "#!/nowhere/interpreter\n");
  const plain = file("plain", "echo plain $1\n");
  for (const [command, message] of [
    [folder, /is a directory/],
    [broken, /exec format error/i],
    [orphan, /there is no \/nowhere\/interpreter/],
    ["/nowhere/at/all", /there is no such program/],
  ] as const) {
    const { err, status } = await run("-q", "-c", command, "-e", "begin { } interval:s:9 { }");
    assert.equal(status, 1, command);
    assert.match(err, message);
  }
  const { out, status } = await run("-q", "-c", `${plain} word`, "-e", "begin { } interval:s:9 { }");
  assert.deepEqual([out.trim(), status], ["plain word", 0]);
});

test("a zombie is no process to trace", { skip: sameEverywhere }, async () => {
  // It waits for no child; one that nothing refers to would be asked for its status.
  const text =
    'import subprocess, time; child = subprocess.Popen(["true"]); print(child.pid, flush=True); time.sleep(60)';
  const parent = spawn("python3", ["-c", text], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const pid = await new Promise<string>((resolve) =>
      parent.stdout?.once("data", (text: Buffer) => resolve(`${text}`.trim())),
    );
    await pause(300);
    for (const option of ["-p", "--tree"]) {
      const { err, status } = await run("-q", option, pid, "-e", "interval:s:9 { }");
      assert.equal(status, 1, option);
      assert.match(err, new RegExp(`process ${pid} has ended`));
    }
  } finally {
    parent.kill("SIGKILL");
  }
});
