// Functions of the kernel by trampolines: names and types of arguments, exact counts, other programs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { lacks, lines, run, sameElsewhere, Tracer, trace } from "../support/run.js";
import { openTimes, shell } from "../support/workload.js";

const skip = lacks("fentry");
const folder = mkdtempSync(join(tmpdir(), "beetrace-"));
const file = join(folder, `fentry${process.pid}`);
writeFileSync(file, "x");
after(() => rmSync(folder, { recursive: true }));
const name = basename(file);

/** A file that nobody else opens, in a file system that has no other below it. */
const own = `/proc/${process.pid}/personality`;
const isOwn = `str(args.path.dentry.d_name.name) == "personality" && str(args.path.dentry.d_parent.d_name.name) == "${process.pid}"`;

test("entry and return of a function, each once a call, with arguments, members and result", { skip }, async () => {
  const script = `
    fentry:vfs_open /${isOwn}/ { @entry[probe, func] = count(); }
    fexit:vfs_open /${isOwn}/ {
      @exit[probe, retval] = count();
      @inode[args.file.f_inode.i_ino] = count();
      $f = args.file;
      @same[$f.f_inode.i_ino] = count();
    }`;
  const { out, err } = await trace(["-e", script], () => openTimes(own, 25));
  const inode = statSync(own).ino;
  for (const line of [
    "@entry[fentry:vmlinux:vfs_open, vfs_open]: 25",
    "@exit[fexit:vmlinux:vfs_open, 0]: 25",
    `@inode[${inode}]: 25`,
    `@same[${inode}]: 25`,
  ])
    assert.ok(lines(out).includes(line), `${line}\n${out}${err}`);
});

test("an argument that is a null pointer is one", { skip: skip || sameElsewhere }, async () => {
  // utimensat(2) without times: the verifier must not take the pointer for one that is never null.
  const mine = `str(args.path.dentry.d_name.name) == "${name}"`;
  const script = `
    fentry:vfs_utimes /${mine}/ {
      if (args.times == 0) { @null = count(); } else { @set = count(); }
      $t = args.times;
      if ($t != 0) { @variable_set = count(); } else { @variable_null = count(); }
    }`;
  const { out, err } = await trace(["-e", script], () => {
    for (let i = 0; i < 3; i++) shell(`touch ${file}`);
    for (let i = 0; i < 2; i++) shell(`touch -d @${i + 1} ${file}`);
  });
  for (const line of ["@null: 3", "@set: 2", "@variable_null: 3", "@variable_set: 2"])
    assert.ok(lines(out).includes(line), `${line}\n${out}${err}`);
});

test("all arguments at once, and a wildcard", { skip }, async () => {
  const script = `
    fentry:vfs_op*n /func == "vfs_open" && ${isOwn}/ {
      print(args);
      @ = count();
    }`;
  const { out, err } = await trace(["-e", script], () => openTimes(own, 2));
  assert.equal(lines(out).filter((line) => /^\{ \.path = 0x[0-9a-f]+, \.file = 0x[0-9a-f]+ \}$/.test(line)).length, 2);
  assert.ok(lines(out).includes("@: 2"), out + err);
});

test("a list of functions with their arguments and results", { skip: skip || sameElsewhere }, async () => {
  const { out } = await run("-lv", "fexit:vfs_open");
  assert.deepEqual(lines(out), [
    "fexit:vmlinux:vfs_open",
    "    const struct path * path",
    "    struct file * file",
    "    int retval",
  ]);
});

test("what cannot be traced is explained", { skip: skip || sameElsewhere }, async () => {
  const said = async (probe: string): Promise<string> => (await run("-e", `${probe} { }`)).err;
  const unknown = await said("fentry:vfs_raed");
  assert.match(unknown, /ERROR: No matches for fentry vfs_raed\./);
  assert.match(unknown, /did you mean 'vfs_read'/);
  assert.match(await said("fentry:_raw_spin_lock"), /deadlock/);
  assert.match(await said("fentry:nonsense:vfs_read"), /specified module nonsense .* is not loaded/);
});

test("another BPF program is a function, too", { skip }, async () => {
  const other = new Tracer(["-e", "interval:us:50000 { @a = 1; }"]);
  await other.attached();
  try {
    const { out, err } = await run("-e", "fentry:bpf:interval_us_50000_* { print(probe); if (@n++ == 2) { exit(); } }");
    assert.match(lines(out)[1] ?? "", /^fentry:bpf:\d+:interval_us_50000_1$/, out + err);
  } finally {
    await other.stop();
  }
});

test("path() gives whole paths where the kernel allows it, and says where not", { skip }, async () => {
  const script = `
    fentry:security_file_open {
      $p = path(args.file.f_path);
      if ($p == "${file}") { @whole = count(); }
      if (path(args.file.f_path, ${name.length + 1}) == "${name}") { @end = count(); }
    }`;
  const { out, err } = await trace(["-e", script], () => openTimes(file, 7));
  // Where / is an overlay the file below it is opened, too, by another path.
  assert.match(out, /^@whole: (?:7|14)$/m, err);
  assert.match(out, /^@end: (?:7|14)$/m, err);
  const refused = await run("-e", 'fentry:vfs_read { print("a"); print(path(args.file.f_path)); print("b"); }');
  assert.match(refused.err, /stdin:1:37-59: ERROR: helper bpf_d_path not allowed in probe/);
  assert.equal(refused.status, 1);
});
