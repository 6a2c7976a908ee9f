import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { JitMemory, JitNames } from "./jit-names.js";

/** A process of our user in a directory that looks like /proc, and its perf map. */
function process7(t: TestContext, pid = 7): { readonly proc: string; readonly map: string } {
  const proc = mkdtempSync(join(tmpdir(), "beetrace-jit-"));
  t.after(() => rmSync(proc, { recursive: true, force: true }));
  const own = process.getuid?.() ?? 0;
  mkdirSync(join(proc, `${pid}`, "root", "tmp"), { recursive: true });
  writeFileSync(join(proc, `${pid}`, "status"), `Uid:\t${own}\t${own}\t${own}\t${own}\nNSpid:\t${pid}\n`);
  return { proc, map: join(proc, `${pid}`, "root", "tmp", `perf-${pid}.map`) };
}

function open(t: TestContext, proc: string, pid = 7): JitNames {
  const names = JitNames.open(proc, pid);
  assert.ok(typeof names === "object");
  t.after(() => names[Symbol.dispose]());
  return names;
}

const nameAt = (names: JitNames, address: bigint): string | undefined => {
  const found = names.at(address);
  return typeof found === "object" ? found.name : found;
};

const lines = (first: number, count: number, name: string): string =>
  Array.from({ length: count }, (_, i) => `${((first + i) * 256).toString(16)} 100 ${name}${first + i}\n`).join("");

test("a map that grows while it is read, also in the middle of a line", (t) => {
  const { proc, map } = process7(t);
  writeFileSync(map, "1000 10 fir");
  const names = open(t, proc);
  assert.equal(nameAt(names, 0x1000n), undefined);
  appendFileSync(map, "st\n2000 10 second\n");
  names.refresh();
  assert.deepEqual([nameAt(names, 0x1000n), nameAt(names, 0x2000n)], ["first", "second"]);
});

test("a map that vanishes keeps its names; one that is written anew has the new ones only", (t) => {
  const { proc, map } = process7(t);
  writeFileSync(map, "1000 10 old\n");
  const names = open(t, proc);
  rmSync(map);
  names.refresh();
  assert.equal(nameAt(names, 0x1000n), "old");
  names.drop();
  assert.equal(nameAt(names, 0x1000n), "old");
  writeFileSync(map, "2000 10 another\n");
  names.refresh();
  assert.deepEqual([nameAt(names, 0x1000n), nameAt(names, 0x2000n)], [undefined, "another"]);
  // The same file, and longer than it was.
  writeFileSync(map, "3000 10 begun anew\n4000 10 and longer than before\n");
  names.refresh();
  assert.deepEqual(
    [0x2000n, 0x3000n, 0x4000n].map((address) => nameAt(names, address)),
    [undefined, "begun anew", "and longer than before"],
  );
  truncateSync(map, 0);
  names.refresh();
  assert.equal(nameAt(names, 0x3000n), undefined);
  writeFileSync(`${map}.new`, "5000 10 moved\n");
  renameSync(`${map}.new`, map);
  names.refresh();
  assert.equal(nameAt(names, 0x5000n), "moved");
});

test("of a gigabyte the end has names, and where there is none the reason is its length", (t) => {
  const { proc, map } = process7(t);
  // The oldest entry is overruled by one in the middle, which is not read either.
  writeFileSync(map, "1000 100 old\n");
  truncateSync(map, 512 << 20);
  appendFileSync(map, "\n1000 100 newer\n");
  truncateSync(map, 1 << 30);
  appendFileSync(map, `\n${lines(100, 1000, "f")}`);
  const names = open(t, proc);
  assert.deepEqual(
    [0x1000n, 100n * 256n, 1099n * 256n, 1100n * 256n].map((address) => nameAt(names, address)),
    ["too-large", "f100", "f1099", "too-large"],
  );
  assert.ok(names.memory < 40 << 20, `${names.memory}`);
  appendFileSync(map, "1000 100 newest\n");
  names.refresh();
  assert.deepEqual([nameAt(names, 0x1000n), nameAt(names, 0x6400n)], ["newest", "f100"]);
});

test("a map that grows beyond what is kept goes on with its end", (t) => {
  const { proc, map } = process7(t);
  writeFileSync(map, "1000 10 before\n");
  const names = open(t, proc);
  assert.equal(nameAt(names, 0x1000n), "before");
  const text = "x".repeat(1000);
  for (let piece = 0; piece < 20; piece++) {
    appendFileSync(map, lines(1000 * (piece + 1), 1000, text));
    names.refresh();
    assert.ok(names.memory < 40 << 20, `${names.memory}`);
    assert.equal(nameAt(names, BigInt(1000 * (piece + 1) + 999) * 256n), `${text}${1000 * (piece + 1) + 999}`);
  }
  assert.equal(nameAt(names, 0x1000n), "too-large");
});

test("perf maps of all processes are bounded in sum, and read again", (t) => {
  const memory = new JitMemory(4 << 20);
  const all = Array.from({ length: 12 }, (_, i) => {
    const { proc, map } = process7(t, i + 1);
    writeFileSync(map, lines(0, 1000, `${"n".repeat(1000)}${i}_`));
    const names = open(t, proc, i + 1);
    memory.use(names);
    memory.makeRoom();
    return names;
  });
  const sum = (): number => all.reduce((bytes, each) => bytes + each.memory, 0);
  assert.ok(sum() <= 4 << 20, `${sum()}`);
  for (const [i, names] of all.entries()) {
    memory.use(names);
    assert.equal(nameAt(names, 256n), `${"n".repeat(1000)}${i}_1`);
    memory.makeRoom();
    assert.ok(sum() <= 4 << 20, `${sum()}`);
  }
});

test("a pipe of that name is not waited for", (t) => {
  const { proc, map } = process7(t);
  execFileSync("mkfifo", [map]);
  assert.equal(JitNames.open(proc, 7), undefined);
});

test("damaged maps, before and after they grow", (t) => {
  const { proc, map } = process7(t);
  writeFileSync(map, "");
  const names = open(t, proc);
  const good = Buffer.from(lines(16, 8, "f"));
  fuzz(good, 300, (bytes) => {
    writeFileSync(map, bytes);
    names.refresh();
    for (const address of [0n, 0x1000n, 0x17ffn, 0xffff_ffff_ffffn]) names.at(address);
    appendFileSync(map, good.subarray(3));
    names.refresh();
    names.at(0x1100n);
  });
  writeFileSync(map, "1000 10 good\n");
  names.refresh();
  assert.equal(nameAt(names, 0x1000n), "good");
});
