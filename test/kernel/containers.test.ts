// A program in namespaces and a root directory of its own, traced from outside.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, pause, run, sameEverywhere } from "../support/run.js";
import { childOf } from "../support/workload.js";

const namespaces = "--mount --pid --cgroup --fork --kill-child".split(" ");
const refusal = (options: readonly string[]): string | undefined => {
  const { status, error, stderr } = spawnSync("unshare", [...options, "true"], { encoding: "utf8" });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
};
// A process that has changed its root gets no user namespace (create_user_ns(), kernel/user_namespace.c): the machines of
// QEMU start like that.
const withUser = [...namespaces, "--user", "--map-root-user"];
const isolate = refusal(withUser) === undefined ? withUser : namespaces;
const refused = (): string | false => {
  const reason = refusal(isolate);
  return reason === undefined ? false : `namespaces cannot be made here: ${reason}`;
};
const skip = process.arch === "x64" ? lacks("uprobe") || refused() : "the fixtures are programs for x86-64";

const folder = mkdtempSync(join(tmpdir(), "beetrace-container-"));
after(() => rmSync(folder, { recursive: true }));

/** `work` gets the id of a process that fires the probes of /probes in its own root directory again and again. */
async function withContainer(name: string, work: (pid: number, root: string) => Promise<void>): Promise<void> {
  const root = join(folder, name);
  mkdirSync(root);
  copyFileSync(fixture("elf", "probes"), join(root, "probes"));
  const outer: ChildProcess = spawn("unshare", [...isolate, `--root=${root}`, "/probes", "again"], { stdio: "ignore" });
  try {
    await work(await insideOf(outer.pid ?? -1), root);
  } finally {
    outer.kill("SIGKILL");
  }
}

/** The process that unshare has made, once it is the program. */
async function insideOf(outer: number): Promise<number> {
  for (;;) {
    const child = childOf(outer);
    if (child !== undefined && readlinkSync(`/proc/${child}/exe`).endsWith("/probes")) return child;
    await pause(5);
  }
}

/** Counts the three plain probes of three rounds: those between the first memory probe and the fourth. */
const rounds = (pid: number, plain: string, memory: string): string =>
  `${memory} /pid == ${pid}/ { @round++; if (@round == 4) { exit(); } }
   ${plain} /pid == ${pid} && @round > 0 && @round < 4/ { @plain[pid, probe]++; }`;

test("by -p, with the path that the process has it at", { skip }, async () => {
  await withContainer("by-pid", async (pid) => {
    for (const file of ["/probes", "", "*", "*probes"]) {
      const script = rounds(pid, `usdt:${file}:first:plain`, `usdt:${file}:second:memory`);
      const { out, err, status } = await run("-q", "-p", String(pid), "-e", script);
      assert.equal(status, 0, err);
      assert.ok(lines(out).includes(`@plain[${pid}, usdt:/proc/${pid}/root/probes:first:plain]: 9`), `${file}: ${out}`);
    }
    const { out, err } = await run(
      "-q",
      "-p",
      String(pid),
      "-e",
      'uprobe:fire { printf("%s %d\\n", func, pid); exit(); }',
    );
    assert.deepEqual(lines(out), [`fire ${pid}`], err);
  });
});

test("by the path through /proc/PID/root, and only there: the other copy is another file", {
  skip: skip || sameEverywhere,
}, async () => {
  await withContainer("by-path", (pid) =>
    withContainer("other", async (other) => {
      const file = `"/proc/${pid}/root/probes"`;
      const { out } = await run("-q", "-e", rounds(pid, `usdt:${file}:plain`, `usdt:${file}:memory`));
      assert.match(out, new RegExp(`^@plain\\[${pid}, usdt:/proc/${pid}/root/probes:first:plain\\]: 9$`, "m"));
      assert.ok(!out.includes(`[${other},`), out);
    }),
  );
});

test("all processes: each file once, those of containers by their own roots", {
  skip: skip || sameEverywhere,
}, async () => {
  await withContainer("everywhere", async (pid) => {
    const { out, err } = await run("-q", "-e", rounds(pid, "usdt:*:first:plain", "usdt:*:second:memory"));
    assert.ok(lines(out).includes(`@plain[${pid}, usdt:/proc/${pid}/root/probes:first:plain]: 9`), out + err);
  });
});

test("counters are raised inside, and names of stacks found", { skip }, async () => {
  await withContainer("counted", async (pid) => {
    const script = 'usdt::counted { printf("%d %s\\n", arg0, ustack(1)); exit(); }';
    const { out, err } = await run("-q", "-p", String(pid), "-e", script);
    assert.match(out, /^1 \s*(?:start|fire)\+\d+/, err);
  });
});

test("-l -p lists the files of the process", { skip: skip || sameEverywhere }, async () => {
  await withContainer("listed", async (pid) => {
    const found = lines((await run("-l", "-p", String(pid), "usdt:*:second:co*")).out);
    assert.deepEqual(
      found,
      ["constants", "counted"].map((name) => `usdt:/proc/${pid}/root/probes:second:${name}`),
    );
    assert.ok(lines((await run("-l", "-p", String(pid))).out).includes(`uprobe:/proc/${pid}/root/probes:fire`));
  });
});

test("a program whose file was removed, or replaced, is traced all the same", {
  skip: skip || sameEverywhere,
}, async () => {
  await withContainer("removed", async (pid, root) => {
    rmSync(join(root, "probes"));
    const script = rounds(pid, "usdt::first:plain", "usdt::second:memory");
    assert.match((await run("-q", "-p", String(pid), "-e", script)).out, /^@plain\[\d+, .*\/probes:first:plain\]: 9$/m);
    // Another file of that name, without probes.
    copyFileSync(fixture("elf", "tiny"), join(root, "probes"));
    assert.ok(existsSync(`/proc/${pid}/root/probes`));
    assert.notEqual(statSync(`/proc/${pid}/root/probes`).ino, statSync(`/proc/${pid}/exe`).ino);
    assert.match((await run("-q", "-p", String(pid), "-e", script)).out, /^@plain\[\d+, .*\/probes:first:plain\]: 9$/m);
  });
});
