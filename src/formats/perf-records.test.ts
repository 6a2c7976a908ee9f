import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { perfRecord } from "../../test/fixtures/perf-record.js";
import { FormatError } from "../base/errors.js";
import { parsePerfRecord } from "./perf-records.js";

const inode = perfRecord.map(5n, 7, 0x400000n, "/usr/bin/a b", { inode: 77n, offset: 0x2000n });
const buildId = perfRecord.map(6n, 7, 0x7f0000000000n, "/tmp/x (deleted)", { buildId: "0123456789abcdef" });

test("mappings, by inode and by build id", () => {
  assert.deepEqual(parsePerfRecord(inode), {
    kind: "map",
    time: 5n,
    pid: 7,
    start: 0x400000n,
    end: 0x401000n,
    offset: 0x2000n,
    execute: true,
    device: "fe:00",
    inode: 77n,
    generation: 7n,
    buildId: undefined,
    path: "/usr/bin/a b",
    deleted: false,
  });
  const found = parsePerfRecord(buildId);
  assert.ok(found?.kind === "map");
  assert.deepEqual(
    [found.buildId, found.inode, found.path, found.deleted, found.start],
    ["0123456789abcdef", 0n, "/tmp/x", true, 0x7f0000000000n],
  );
  const anonymous = parsePerfRecord(perfRecord.map(1n, 7, 0n, "//anon"));
  assert.ok(anonymous?.kind === "map" && anonymous.path === undefined);
});

test("processes begin, run another program, and end; threads are left out", () => {
  const { task, comm, lost } = perfRecord;
  assert.deepEqual(parsePerfRecord(task(1n, "fork", 8, 7)), { kind: "fork", time: 1n, pid: 8, parent: 7 });
  assert.equal(parsePerfRecord(task(1n, "fork", 7, 7, 9)), undefined);
  assert.deepEqual(parsePerfRecord(task(2n, "exit", 8, 7)), { kind: "exit", time: 2n, pid: 8 });
  assert.equal(parsePerfRecord(task(2n, "exit", 7, 1, 9)), undefined);
  assert.deepEqual(parsePerfRecord(comm(3n, 8, "sh", true)), { kind: "exec", time: 3n, pid: 8 });
  assert.equal(parsePerfRecord(comm(3n, 8, "a thread", false)), undefined);
  assert.deepEqual(parsePerfRecord(lost(4n, 12n)), { kind: "lost", time: 4n, count: 12n });
});

test("broken records give values or FormatErrors", () => {
  assert.throws(() => parsePerfRecord(new Uint8Array(8)), FormatError);
  for (const seed of [inode, buildId, perfRecord.task(1n, "fork", 8, 7), perfRecord.lost(1n, 1n)])
    fuzz(seed, 1000, parsePerfRecord);
});
