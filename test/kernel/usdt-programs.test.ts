// Probes of programs that Debian packages: each works a known number of times.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isEmulated, lacks, lines, run, trace } from "../support/run.js";

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

const python = "/usr/bin/python3";

test("python3: returns of a function, with file, name and line", { skip: without(python) }, async () => {
  const file = join(folder, "calls.py");
  writeFileSync(file, "def leaf(n):\n    return n + 1\n\nfor i in range(100):\n    leaf(i)\n");
  const script = `usdt:${python}:function__return /str(arg0) == "${file}"/ { @[str(arg1), arg2] = count(); }`;
  const { out, err } = await run("-q", "-e", script, "-c", `${python} ${file}`);
  assert.deepEqual(lines(out), ["@[<module>, 4]: 1", "@[leaf, 2]: 100"], err);
});

/** PostgreSQL wants timers, which a kernel may be built without (CONFIG_POSIX_TIMERS). */
const noTimers = (): string | false => {
  const { stderr } = spawnSync(python, ["-c", "import signal; signal.setitimer(signal.ITIMER_REAL, 0)"], {
    encoding: "utf8",
  });
  return /Function not implemented/.test(stderr ?? "") && "this kernel has no setitimer(2)";
};

/** The newest PostgreSQL that is installed. */
function findPostgres(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const [newest = "0"] = versions.sort((a, b) => Number(b) - Number(a));
  return `/usr/lib/postgresql/${newest}/bin`;
}

/** A user's number and group; root may not run PostgreSQL. */
function idsOf(user: string): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

const postgres = join(findPostgres(), "postgres");
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
    const made = spawnSync(join(findPostgres(), "initdb"), ["-D", data, "-N", "-A", "trust"], as);
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
