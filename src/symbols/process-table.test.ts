import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { perfRecord } from "../../test/fixtures/perf-record.js";
import { type PerfRecord, parsePerfRecord } from "../formats/perf-records.js";
import { UserSymbols } from "./user-symbols.js";

const clockAtStart = 1_000_000_000n;

/** Processes that are only known from what the kernel tells: /proc has none. */
function told(t: { after(run: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-told-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "tiny");
  copyFileSync(fixture("elf", "tiny"), program);
  // As if it had been there for long.
  utimesSync(program, 1, 1);
  const { ino: inode } = statSync(program, { bigint: true });
  let records: PerfRecord[] = [];
  const symbols = new UserSymbols({
    procRoot: folder,
    now: () => 0,
    clock: () => clockAtStart,
    records: () => {
      const all = records;
      records = [];
      return all;
    },
  });
  t.after(() => symbols[Symbol.dispose]());
  const tell = (...all: readonly Uint8Array[]): void => {
    for (const bytes of all) {
      const record = parsePerfRecord(bytes);
      assert.ok(record !== undefined);
      records.push(record);
    }
  };
  const name = (pid: number, address: bigint, since = 0n): string => {
    const found = symbols.resolve(pid, address, { since });
    return found.kind === "symbol" ? found.name : found.reason;
  };
  return { folder, program, inode, symbols, tell, name };
}

const { comm, task, map, lost } = perfRecord;
/** Times are of the monotonic clock, and later than the copy of the file was made. */
const at = (n: number): bigint => clockAtStart + BigInt(n);

test("a process that nobody has ever looked at", (t) => {
  const { program, inode, tell, name } = told(t);
  tell(task(at(1), "fork", 7, 1), comm(at(2), 7, "tiny", true), map(at(3), 7, 0x400000n, program, { inode }));
  tell(task(at(4), "exit", 7, 1));
  assert.deepEqual([name(7, 0x400147n), name(7, 0x900000n), name(8, 0x400147n)], ["twice", "unmapped", "process-gone"]);
});

test("what a child has from its parent, and what it maps itself", (t) => {
  const { program, inode, tell, name } = told(t);
  tell(comm(at(1), 5, "tiny", true), map(at(2), 5, 0x400000n, program, { inode }));
  tell(task(at(3), "fork", 6, 5), map(at(4), 6, 0x700000n, program, { inode }));
  assert.deepEqual([name(6, 0x400147n), name(6, 0x700147n), name(5, 0x700147n)], ["twice", "twice", "unmapped"]);
});

test("programs that ran one after the other: never the name of the wrong one", (t) => {
  const { program, inode, tell, name } = told(t);
  tell(comm(at(1), 7, "first", true), map(at(2), 7, 0x400000n, program, { inode }));
  tell(map(at(3), 7, 0x600000n, program, { inode }));
  tell(comm(at(10), 7, "second", true), map(at(11), 7, 0x400000n, "/nowhere", { inode: 12345n }));
  // At any time: two things were there; and what only the first had.
  assert.deepEqual([name(7, 0x400147n), name(7, 0x600147n)], ["ambiguous", "twice"]);
  // Behind the second's beginning only its own counts.
  assert.deepEqual([name(7, 0x400147n, at(10)), name(7, 0x600147n, at(12))], ["unreadable", "unmapped"]);
  // A process with the same number.
  tell(task(at(20), "exit", 7, 1), task(at(21), "fork", 7, 1), comm(at(22), 7, "third", true));
  tell(map(at(23), 7, 0x400000n, program, { inode }));
  assert.deepEqual([name(7, 0x400147n, at(22)), name(7, 0x400147n, at(15))], ["twice", "ambiguous"]);
});

test("a stack is one program's", (t) => {
  const { program, inode, tell, symbols } = told(t);
  tell(comm(at(1), 7, "first", true), map(at(2), 7, 0x400000n, program, { inode }));
  tell(map(at(3), 7, 0x600000n, program, { inode }));
  tell(comm(at(10), 7, "second", true), map(at(11), 7, 0x400000n, "/nowhere", { inode: 12345n }));
  const found = symbols.resolveStack(7, [0x400147n, 0x600149n]);
  assert.deepEqual(
    found.map((each) => (each.kind === "symbol" ? `${each.name}+${each.offset}` : each.reason)),
    ["twice+3", "twice+5"],
  );
});

test("of two programs at the same addresses a stack is the one's in which calls lead to its frames", (t) => {
  const { folder, program, inode, tell, symbols } = told(t);
  const other = join(folder, "probes");
  copyFileSync(fixture("elf", "probes"), other);
  utimesSync(other, 1, 1);
  tell(comm(at(1), 7, "tiny", true), map(at(2), 7, 0x400000n, program, { inode }));
  tell(comm(at(10), 7, "probes", true));
  tell(map(at(11), 7, 0x400000n, other, { inode: statSync(other, { bigint: true }).ino }));
  const names = (stack: readonly bigint[]): readonly string[] =>
    symbols
      .resolveStack(7, stack)
      .map((each) => (each.kind === "symbol" ? `${each.name}+${each.offset}` : each.reason));
  // twice() called by weak_twice(), by hidden(), by _start(); and start() called by the other's _start().
  assert.deepEqual(names([0x400144n, 0x40015dn, 0x400174n, 0x40018an]), [
    "twice+0",
    "weak_twice+9",
    "hidden+9",
    "_start+14",
  ]);
  // (Its _start() is assembly without a size.)
  assert.deepEqual(names([0x4001abn, 0x400150n]), ["start+0", "stripped"]);
  assert.deepEqual(names([0x400150n]), ["ambiguous"]);
});

test("mapped over: what was there before counts for addresses from before", (t) => {
  const { program, inode, tell, name } = told(t);
  tell(comm(at(1), 7, "tiny", true), map(at(2), 7, 0x400000n, program, { inode }));
  tell(map(at(9), 7, 0x400000n, "/nowhere", { inode: 12345n }));
  assert.deepEqual([name(7, 0x400147n, at(5)), name(7, 0x400147n, at(9))], ["ambiguous", "unreadable"]);
});

test("only the mapped file has names: its build id, or its inode and its age tell", (t) => {
  const { program, inode, tell, name } = told(t);
  const begin = (pid: number, file: Parameters<typeof map>[4]): void =>
    tell(comm(at(1), pid, "tiny", true), map(at(2), pid, 0x400000n, program, file));
  begin(7, { inode: inode + 1n });
  begin(8, { buildId: "00112233" });
  assert.deepEqual([name(7, 0x400147n), name(8, 0x400147n)], ["unreadable", "unreadable"]);
  // Written again since it was mapped.
  utimesSync(program, new Date(Date.now() + 60_000), new Date(Date.now() + 60_000));
  begin(9, { inode });
  assert.equal(name(9, 0x400147n), "unreadable");
});

test("what was lost, and what was forgotten, is counted", (t) => {
  const { program, inode, symbols, tell, name } = told(t);
  tell(lost(at(1), 12n));
  tell(comm(at(2), 7, "tiny", true), map(at(3), 7, 0x400000n, program, { inode }), task(at(4), "exit", 7, 1));
  for (let pid = 100; pid < 100 + 16384; pid++) tell(task(at(5), "fork", pid, 1));
  assert.deepEqual([name(7, 0x400147n), symbols.lostRecords, symbols.missedProcesses], ["forgotten", 12n, 1]);
});
