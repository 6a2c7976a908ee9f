// Probes of programs that Debian packages: each works a known number of times.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isEmulated, lacks, lines, run, sameEverywhere, trace } from "../support/run.js";
import { python } from "../support/workload.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-programs-"));
after(() => rmSync(folder, { recursive: true }));

/** The reason to skip a test of a program without probes, or false. */
function without(program: string): string | false {
  if (!existsSync(program)) return `there is no ${program}`;
  const { stdout } = spawnSync("readelf", ["-nW", program], { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (stdout !== null && stdout !== "" && !stdout.includes("stapsdt"))
    return `${program} was built without USDT probes`;
  return lacks("uprobe");
}

/** What of a folder's entries has the highest number; a path that is not there if none matches. */
function newest(place: string, pattern: RegExp): string {
  const names = existsSync(place) ? readdirSync(place).filter((name) => pattern.test(name)) : [];
  const number = (name: string): number => Number.parseFloat(/\d+(?:\.\d+)?/.exec(name)?.[0] ?? "0");
  return join(place, names.sort((a, b) => number(b) - number(a))[0] ?? `(${pattern.source})`);
}

test("python3: returns of a function, with file, name and line", {
  skip: without(python) || sameEverywhere,
}, async () => {
  const file = join(folder, "calls.py");
  writeFileSync(file, "def leaf(n):\n    return n + 1\n\nfor i in range(100):\n    leaf(i)\n");
  const script = `usdt:${python}:function__return /str(arg0) == "${file}"/ { @[str(arg1), arg2] = count(); }`;
  const { out, err } = await run("-q", "-e", script, "-c", `${python} ${file}`);
  assert.deepEqual(lines(out), ["@[<module>, 4]: 1", "@[leaf, 2]: 100"], err);
});

/** The newest library of Ruby. */
const ruby = newest("/usr/lib/x86_64-linux-gnu", /^libruby-[0-9.]+\.so\.[0-9.]+$/);

test("ruby: objects, arrays and C functions by line", {
  skip: without(ruby) || sameEverywhere,
}, async () => {
  const file = join(folder, "work.rb");
  writeFileSync(
    file,
    'class Thing; end\n5.times { Thing.new }\n100.times { Array.new(3) }\n7.times { "x".center(9) }\n',
  );
  const here = (arg: number): string => `/str(arg${arg}) == "${file}"/`;
  const script = `usdt:${ruby}:ruby:object__create ${here(1)} { @made[str(arg0), arg2] = count(); }
    usdt:${ruby}:ruby:cmethod__entry ${here(2)} { @called[str(arg0), str(arg1), arg3] = count(); }`;
  const { out, err } = await run("-q", "-e", script, "-c", `/usr/bin/ruby ${file}`);
  const wanted = [
    "@made[Thing, 2]: 5",
    "@made[Array, 3]: 100",
    "@called[String, center, 4]: 7",
    "@called[Integer, times, 3]: 1",
  ];
  for (const line of wanted) assert.ok(lines(out).includes(line), `${line}: ${out}${err}`);
});

const php = newest("/usr/bin", /^php\d+\.\d+$/);

test("php: functions, files that are compiled, exceptions", { skip: without(php) || sameEverywhere }, async () => {
  const file = join(folder, "work.php");
  const text = `<?php
function leaf($n) { if ($n % 10 == 0) throw new LengthException("ten"); return $n + 1; }
for ($i = 1; $i <= 100; $i++) { try { leaf($i); } catch (LengthException $e) { } }
`;
  writeFileSync(file, text);
  const script = `usdt:${php}:php:function__entry /str(arg1) == "${file}"/ { @entry[str(arg0), arg2] = count(); }
    usdt:${php}:php:function__return /str(arg0) == "leaf"/ { @return = count(); }
    usdt:${php}:php:exception__thrown { @thrown[str(arg0)] = count(); }
    usdt:${php}:php:compile__file__entry { @compiled[str(arg0)] = count(); }
    usdt:${php}:php:request__s* { @request[probe] = count(); }`;
  // Without the variable its engine does not call what has the probes.
  const { out, err } = await run("-q", "-e", script, "-c", `env USE_ZEND_DTRACE=1 ${php} ${file}`);
  const wanted = [
    "@entry[leaf, 2]: 100",
    "@return: 100",
    "@thrown[LengthException]: 10",
    `@compiled[${file}]: 1`,
    `@request[usdt:${php}:php:request__startup]: 1`,
  ];
  for (const line of wanted) assert.ok(lines(out).includes(line), `${line}: ${out}${err}`);
});

/** Debian's OpenJDK; others may be built without probes. */
const java = newest("/usr/lib/jvm", /^java-\d+-openjdk-amd64$/);
const jvm = join(java, "lib/server/libjvm.so");

test("java: methods by class and name, which come with their lengths", {
  skip: without(jvm) || (!existsSync(join(java, "bin/javac")) && "there is no javac") || sameEverywhere,
}, async () => {
  const file = join(folder, "Work.java");
  writeFileSync(
    file,
    "class Work { static int leaf(int n) { return n + 1; }\n" +
      "public static void main(String[] a) { int s = 0; for (int i = 0; i < 100; i++) s = leaf(s); } }\n",
  );
  const compiled = spawnSync(join(java, "bin/javac"), ["-d", folder, file], { encoding: "utf8" });
  assert.equal(compiled.status, 0, compiled.stderr);
  const script = `usdt:${jvm}:hotspot:method__entry /str(arg1, arg2 + 1) == "Work"/ { @entry[str(arg3, arg4 + 1)] = count(); }
    usdt:${jvm}:hotspot:method__return /str(arg1, arg2 + 1) == "Work"/ { @return[str(arg3, arg4 + 1)] = count(); }`;
  const command = `${join(java, "bin/java")} -XX:+DTraceMethodProbes -cp ${folder} Work`;
  const { out, err } = await run("-q", "-e", script, "-c", command);
  for (const line of ["@entry[leaf]: 100", "@entry[main]: 1", "@return[leaf]: 100"])
    assert.ok(lines(out).includes(line), `${line}: ${out}${err}`);
});

/** PostgreSQL wants timers, which a kernel may be built without (CONFIG_POSIX_TIMERS). */
const noTimers = (): string | false => {
  const { stderr } = spawnSync(python, ["-c", "import signal; signal.setitimer(signal.ITIMER_REAL, 0)"], {
    encoding: "utf8",
  });
  return /Function not implemented/.test(stderr ?? "") && "this kernel has no setitimer(2)";
};

/** A user's number and group; root may not run PostgreSQL. */
function idsOf(user: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

const programs = join(newest("/usr/lib/postgresql", /^\d+$/), "bin");
const postgres = join(programs, "postgres");
const user = idsOf("postgres");

test("postgres: queries by their text, buffers by their numbers", {
  skip:
    without(postgres) ||
    (user === undefined ? "there is no user postgres" : noTimers()) ||
    (isEmulated() && "initdb takes minutes where the processor is emulated"),
}, async () => {
  if (user === undefined) return;
  const data = join(mkdtempSync(join(tmpdir(), "beetrace-postgres-")), "data");
  const home = join(data, "..");
  chownSync(home, user.uid, user.gid);
  const as = { ...user, encoding: "utf8", cwd: "/", env: { PATH: process.env["PATH"] } } as const;
  try {
    const made = spawnSync(join(programs, "initdb"), ["-D", data, "-N", "-A", "trust"], as);
    assert.equal(made.status, 0, made.stderr);
    const script = `
usdt:${postgres}:query__start { @started[str(arg0)]++; }
usdt:${postgres}:query__done { @done[str(arg0)]++; }
usdt:${postgres}:buffer__read__done /arg7/ { @hits++; }`;
    const { out, err } = await trace(["-e", script], () => {
      const input = `${"select 1;\n".repeat(7)}select 2;\n`;
      const { status, stderr } = spawnSync(postgres, ["--single", "-D", data, "postgres"], { ...as, input });
      assert.equal(status, 0, stderr);
    });
    for (const map of ["@started", "@done"]) {
      assert.ok(out.includes(`${map}[select 1;\n]: 7\n`), out + err);
      assert.ok(out.includes(`${map}[select 2;\n]: 1\n`), out + err);
    }
    assert.match(out, /^@hits: [1-9]/m);
  } finally {
    rmSync(home, { recursive: true });
  }
});
