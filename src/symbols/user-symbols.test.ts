import assert from "node:assert/strict";
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { UserSymbols } from "./user-symbols.js";

/** A directory that looks like /proc of one process that runs the fixture `name`. */
function fakeProc(t: { after(run: () => void): void }, name: string) {
  const root = mkdtempSync(join(tmpdir(), "beetrace-proc-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const files = join(root, "files");
  mkdirSync(files);
  const program = join(files, name);
  copyFileSync(fixture("elf", name), program);
  const proc = join(root, "proc");
  const write = (pid: number, maps: string, startTime = 100): void => {
    const folder = join(proc, `${pid}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "maps"), maps);
    writeFileSync(join(folder, "stat"), `${pid} (a ) b) S ${"0 ".repeat(18)}${startTime} 0\n`);
    symlinkSync(program, join(folder, "exe"));
    symlinkSync("/", join(folder, "root"));
  };
  const { ino } = statSync(program);
  const line = (start: number, offset: number, path = program, inode = ino): string =>
    `${start.toString(16)}-${(start + 0x1000).toString(16)} r-xp ${offset.toString(16).padStart(8, "0")} fe:00 ${inode} ${path}\n`;
  return { proc, program, write, line, remove: (pid: number) => rmSync(join(proc, `${pid}`), { recursive: true }) };
}

test("names in a program, and why there are none", (t) => {
  const { proc, program, write, line } = fakeProc(t, "tiny");
  const anonymous = "500000-501000 r-xp 00000000 00:00 0 \n600000-601000 rw-p 00000000 00:00 0 [heap]\n";
  write(7, line(0x400000, 0) + anonymous + line(0x700000, 0, "/nowhere", 12345));
  using symbols = new UserSymbols({ procRoot: proc, now: () => 0 });
  assert.deepEqual(symbols.resolve(7, 0x400144n + 3n), { kind: "symbol", name: "twice", offset: 3n, module: program });
  assert.deepEqual(symbols.resolve(7, 0x40016bn), { kind: "symbol", name: "hidden", offset: 0n, module: program });
  assert.deepEqual(symbols.resolve(7, 0x400001n), { kind: "unknown", reason: "stripped", module: program });
  assert.deepEqual(symbols.resolve(7, 0x500001n), { kind: "unknown", reason: "anonymous", module: undefined });
  assert.deepEqual(symbols.resolve(7, 0x600001n), { kind: "unknown", reason: "anonymous", module: "[heap]" });
  assert.deepEqual(symbols.resolve(7, 0x700001n), { kind: "unknown", reason: "unreadable", module: "/nowhere" });
  assert.deepEqual(symbols.resolve(7, 0x1n), { kind: "unknown", reason: "unmapped", module: undefined });
  assert.deepEqual(symbols.resolve(8, 0x1n), { kind: "unknown", reason: "process-gone", module: undefined });
  assert.equal(symbols.address(7, "twice"), 0x400144n);
  assert.equal(symbols.address(7, "nothing"), undefined);
});

test("names outlive the process, and its file", (t) => {
  const { proc, program, write, line, remove } = fakeProc(t, "tiny");
  write(7, line(0x400000, 0));
  let now = 0;
  using symbols = new UserSymbols({ procRoot: proc, now: () => now });
  symbols.remember(7);
  remove(7);
  rmSync(program);
  now = 1000;
  const found = symbols.resolve(7, 0x400144n);
  assert.ok(found.kind === "symbol" && found.name === "twice");
});

test("mappings that come later, and a new program with the same id", (t) => {
  const { proc, program, write, line } = fakeProc(t, "tiny");
  write(7, line(0x400000, 0));
  let now = 0;
  using symbols = new UserSymbols({ procRoot: proc, now: () => now });
  assert.equal(symbols.resolve(7, 0x900144n).kind, "unknown");
  write(7, line(0x400000, 0) + line(0x900000, 0));
  now = 1000;
  assert.deepEqual(symbols.resolve(7, 0x900144n), { kind: "symbol", name: "twice", offset: 0n, module: program });
  // Another process: what it maps comes first, what the old one mapped is still known.
  write(7, line(0x300000, 0), 999);
  now = 2000;
  assert.equal(symbols.resolve(7, 0x300144n).kind, "symbol");
  assert.equal(symbols.resolve(7, 0x400144n).kind, "symbol");
});

test("an execve just after the process was looked at", (t) => {
  const { proc, program, write, line } = fakeProc(t, "tiny");
  write(7, line(0x300000, 0));
  let now = 0;
  using symbols = new UserSymbols({ procRoot: proc, now: () => now });
  symbols.remember(7);
  write(7, line(0x900000, 0));
  now = 1;
  assert.deepEqual(symbols.resolve(7, 0x900144n), { kind: "symbol", name: "twice", offset: 0n, module: program });
  // An address that stays unknown does not have the mappings read each time.
  assert.equal(symbols.resolve(7, 1n).kind, "unknown");
  write(7, line(0x900000, 0) + line(0xa00000, 0));
  assert.equal(symbols.resolve(7, 0xa00144n).kind, "unknown");
  now = 2;
  assert.equal(symbols.resolve(7, 0xa00144n).kind, "symbol");
});

test("code that a process makes while it runs", (t) => {
  const { proc, write, line } = fakeProc(t, "tiny");
  const code = "500000-501000 rwxp 00000000 00:00 0 \n600000-601000 rw-p 00000000 00:00 0 \n";
  write(7, line(0x400000, 0) + code);
  // Its number in its own namespace is 3, and its root directory is its own.
  const root = join(proc, "7", "root");
  const map = join(root, "tmp", "perf-3.map");
  const own = process.getuid?.() ?? 0;
  rmSync(root);
  mkdirSync(join(root, "tmp"), { recursive: true });
  writeFileSync(join(proc, "7", "status"), `Name:\ta\nUid:\t${own}\t${own}\t${own}\t${own}\nNSpid:\t7\t3\n`);
  writeFileSync(map, "500100 20 JS:~first a.js:1:1\n600000 10 not code\n");
  let now = 0;
  using symbols = new UserSymbols({ procRoot: proc, now: () => now });
  const jit = (name: string, offset: bigint) => ({ kind: "symbol", name, offset, module: "[jit]" });
  assert.deepEqual(symbols.resolve(7, 0x500105n), jit("JS:~first a.js:1:1", 5n));
  assert.deepEqual(symbols.resolve(7, 0x500120n, { isReturn: true }), jit("JS:~first a.js:1:1", 0x20n));
  assert.deepEqual(symbols.resolve(7, 0x500400n), { kind: "unknown", reason: "anonymous", module: undefined });
  assert.equal(symbols.resolve(7, 0x600001n).kind, "unknown");
  // More code, then the process ends with its file.
  writeFileSync(map, "500100 20 JS:~first a.js:1:1\n600000 10 not code\n500400 10 JS:*second a.js:2:1\n");
  now = 200;
  assert.deepEqual(symbols.resolve(7, 0x500401n), jit("JS:*second a.js:2:1", 1n));
  rmSync(map);
  now = 400;
  assert.deepEqual(symbols.resolve(7, 0x500401n), jit("JS:*second a.js:2:1", 1n));
  // Begun anew.
  writeFileSync(map, "500400 10 other\n");
  now = 600;
  assert.equal(symbols.resolve(7, 0x500700n).kind, "unknown");
  assert.deepEqual(symbols.resolve(7, 0x500401n), jit("other", 1n));
});

test("names that another user could have written are not believed", (t) => {
  const { proc, write } = fakeProc(t, "tiny");
  write(7, "500000-501000 r-xp 00000000 00:00 0 \n");
  const root = join(proc, "7", "root");
  rmSync(root);
  mkdirSync(join(root, "tmp"), { recursive: true });
  writeFileSync(join(root, "tmp", "perf-7.map"), "500100 20 wrong\n");
  // As if the process were root's, unless the test is: then as if the file were somebody's.
  const owner = process.getuid?.() === 0 ? 12345 : 0;
  writeFileSync(join(proc, "7", "status"), `Name:\ta\nUid:\t${owner}\t${owner}\t${owner}\t${owner}\nNSpid:\t7\n`);
  if (owner !== 0) chownSync(join(root, "tmp", "perf-7.map"), 54321, 54321);
  using symbols = new UserSymbols({ procRoot: proc, now: () => 0 });
  assert.deepEqual(symbols.resolve(7, 0x500101n), { kind: "unknown", reason: "untrusted-map", module: undefined });
});

test("names of a stripped program that are packed in it", (t) => {
  const { proc, program, write, line } = fakeProc(t, "tiny.mini");
  write(7, line(0x400000, 0));
  using symbols = new UserSymbols({ procRoot: proc, now: () => 0, debug: { folders: [], root: "/nowhere" } });
  assert.deepEqual(symbols.resolve(7, 0x400147n), { kind: "symbol", name: "twice", offset: 3n, module: program });
});

test("a replaced file is not taken for the mapped one", (t) => {
  const { proc, write, line, program } = fakeProc(t, "tiny");
  write(7, line(0x400000, 0, program, 99999));
  using symbols = new UserSymbols({ procRoot: proc, now: () => 0 });
  assert.deepEqual(symbols.resolve(7, 0x400144n), { kind: "unknown", reason: "unreadable", module: program });
});

test("this very process", () => {
  using symbols = new UserSymbols();
  const malloc = symbols.address(process.pid, "malloc");
  assert.ok(malloc !== undefined);
  const found = symbols.resolve(process.pid, malloc + 1n);
  assert.ok(
    found.kind === "symbol" && found.offset === 1n,
    JSON.stringify(found, (_, v) => (typeof v === "bigint" ? `${v}` : v)),
  );
  assert.equal(symbols.resolve(process.pid, 1n).kind, "unknown");
});

test("tables that were dropped for want of memory are read again, also when the process has gone", (t) => {
  const first = fakeProc(t, "tiny");
  const second = fakeProc(t, "tiny.so");
  const other = join(first.proc, "..", "files", "tiny.so");
  copyFileSync(second.program, other);
  first.write(7, first.line(0x400000, 0) + first.line(0x700000, 0, other, statSync(other).ino));
  using symbols = new UserSymbols({ procRoot: first.proc, now: () => 0, maxMemory: 1 });
  using enough = new UserSymbols({ procRoot: first.proc, now: () => 0 });
  const addresses = Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? 0x400140n : 0x700200n) + BigInt(4 * i));
  const wanted = addresses.map((address) => enough.resolve(7, address));
  symbols.resolveStack(7, addresses);
  first.remove(7);
  rmSync(first.program);
  rmSync(other);
  assert.deepEqual(
    addresses.map((address) => symbols.resolve(7, address)),
    wanted,
  );
  assert.ok(wanted.filter(({ kind }) => kind === "symbol").length > 20);
  // A stack at once is what its addresses are one by one.
  assert.deepEqual(
    symbols.resolveStack(7, addresses),
    addresses.map((address, i) => enough.resolve(7, address, { isReturn: i > 0 })),
  );
});

test("what the usual stack is named by is another object once something else is mapped", (t) => {
  const { proc, write, line } = fakeProc(t, "tiny");
  write(7, line(0x400000, 0));
  let now = 0;
  using symbols = new UserSymbols({ procRoot: proc, now: () => now });
  const state = symbols.usualState(7, 0n);
  assert.ok(state !== undefined);
  assert.ok(symbols.resolveUsual(7, [0x400144n, 0x40016bn], {}) !== undefined);
  assert.equal(symbols.resolveUsual(7, [0x400144n, 0x500147n], {}), undefined);
  assert.equal(symbols.usualState(7, 0n), state);
  write(7, line(0x400000, 0) + line(0x500000, 0));
  now = 1000;
  symbols.resolveStack(7, [0x500147n]);
  assert.notEqual(symbols.usualState(7, 0n), state);
  assert.ok(symbols.resolveUsual(7, [0x400144n, 0x500147n], {}) !== undefined);
});

test("files that change under the reader give names or reasons", (t) => {
  const { proc, program, write, line } = fakeProc(t, "tiny");
  const whole = readFileSync(program);
  const inode = statSync(program).ino;
  const maps = Buffer.from(line(0x400000, 0) + line(0x500000, 0, "/nowhere", 5));
  let round = 0;
  /** Not even a FormatError may come out. */
  const calmly = (run: () => void): void => {
    round++;
    assert.doesNotThrow(run);
  };
  fuzz(whole, 150, (bytes) => {
    // The same file, written over while it is open, cut off, or gone.
    writeFileSync(program, round % 3 === 0 ? bytes.subarray(0, round * 7) : bytes);
    write(7, maps.toString());
    using symbols = new UserSymbols({ procRoot: proc, now: () => 0, debug: { folders: [], root: "/nowhere" } });
    symbols.remember(7);
    writeFileSync(program, bytes.subarray(0, Math.max(64, bytes.length - round * 11)));
    calmly(() => {
      for (const code of [false, true]) symbols.resolveStack(7, [0x400144n, 0x40016bn, 0x500001n], { code });
      symbols.address(7, "twice");
    });
  });
  writeFileSync(program, whole);
  assert.equal(statSync(program).ino, inode);
  fuzz(maps, 150, (bytes) => {
    write(7, bytes.toString("latin1"));
    using symbols = new UserSymbols({ procRoot: proc, now: () => 0 });
    calmly(() => {
      for (const address of [0x400144n, 0x500001n, 0n, 2n ** 64n - 1n]) symbols.resolve(7, address);
      symbols.resolveStack(7, [0x400144n, 2n ** 63n]);
    });
  });
});
