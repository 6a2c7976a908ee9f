// Probes in the file of Node.js, which beetrace runs from itself.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { test } from "node:test";
import { attach } from "../../src/index.js";
import { lacks, lines, program, sameEverywhere, trace } from "../support/run.js";

const skip = sameEverywhere || lacks("uprobe");
// Every turn of its event loop comes by some of them.
const script = `uretprobe:${process.execPath}:uv_* { @[pid] = count(); }`;
const keysOf = (out: string): readonly number[] =>
  lines(out)
    .flatMap((line) => /^@\[(\d+)\]: \d+$/.exec(line)?.[1] ?? [])
    .map(Number);

test("other processes of Node.js are traced, and beetrace is not", { skip }, async () => {
  const pids: (number | undefined)[] = [];
  let own = "";
  const { out, err } = await trace(["-e", script], (tracer) => {
    own = readlinkSync(`/proc/${tracer.pid}/exe`);
    pids.push(tracer.pid);
    for (let i = 0; i < 2; i++) pids.push(spawnSync(process.execPath, ["-e", "0"]).pid);
  });
  assert.equal((out + err).match(/Attached/g)?.length, 1, "said once, as if it had started once");
  assert.match(own, /memfd/);
  const seen = keysOf(out);
  assert.deepEqual(
    pids.map((pid = -1) => seen.includes(pid)),
    [false, true, true],
    err,
  );
});

test("a command is run once", { skip }, async () => {
  const command = `${process.execPath} -e console.log(process.pid)`;
  const { out, err } = await trace(["-e", script, "--tree", "-c", command], async (tracer) => {
    await tracer.says(/^\d+$/m);
  });
  const printed = lines(out).flatMap((line) => (/^\d+$/.test(line) ? [Number(line)] : []));
  assert.equal(printed.length, 1, out + err);
  assert.deepEqual(keysOf(out), printed);
});

test("a script from a pipe cannot be read again: that it traces itself is said", { skip }, async () => {
  const child = spawn(process.execPath, [program, "-", "-q"], { stdio: ["pipe", "pipe", "pipe"] });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  child.stdout.resume();
  child.stdin.end(`uprobe:${process.execPath}:uv_version { @ = count(); } BEGIN { exit(); }`);
  await once(child, "close");
  assert.match(
    err,
    /WARNING: this program itself is run by .*, so that its own calls are traced, too: no copy of it could be run, the script/,
  );
});

test("the library cannot leave the program that it is part of, and warns", { skip }, async () => {
  await using own = await attach(`uprobe:${process.execPath}:uv_version { @ = count(); }`);
  assert.match(own.warnings.map(({ message }) => message).join(), /its own calls are traced, too/);
  await using other = await attach(`uprobe:${process.execPath}:uv_version { @ = count(); }`, { pid: 1 });
  assert.deepEqual(other.warnings, []);
});
