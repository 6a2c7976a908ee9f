// Maps that are printed and emptied while others add to them: every event is in exactly one of the prints.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compileC } from "../support/c-program.js";
import { isEmulated, lines, run } from "../support/run.js";

const events = isEmulated() ? 100_000 : 2_000_000;
/** Microseconds after each thousand: an emulated processor prints a thousand keys more slowly than it makes them. */
const rest = isEmulated() ? 50_000 : 0;

const folder = mkdtempSync(join(tmpdir(), "beetrace-emptied-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Two processes at once: half of the events each, of a thousand keys. */
const program = join(folder, "seeks");
const skip = compileC("seeks", program, "-O1");

interface Line {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The sum of all numbers of a map, or of the counts of its histograms. */
function totalOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (Array.isArray(value)) return value.reduce((sum: number, { count }: { count: number }) => sum + count, 0);
  return Object.values(value as object).reduce((sum: number, each) => sum + totalOf(each), 0);
}

for (const [what, statement] of [
  ["count() by key", "@k[args.fd] = count();"],
  ["count()", "@k = count();"],
  ["sum() by key", "@k[args.fd] = sum(1);"],
  ["hist() by key", "@k[args.fd] = hist(args.fd);"],
  ["numbers by key", "@k[args.fd]++;"],
  ["a number", "@k += 1;"],
] as const)
  for (const how of ["clear", "zero"] as const)
    test(`${what} and ${how}(): all prints make all events`, { skip }, async () => {
      const script = `tracepoint:syscalls:sys_enter_lseek /args.whence == 5/ { ${statement} }
        interval:ms:50 { print(@k); ${how}(@k); }`;
      const { out, err } = await run("-q", "-f", "json", "-e", script, "-c", `${program} ${events} ${rest}`);
      assert.doesNotMatch(err, /[Ll]ost/);
      const printed = lines(out).map((line) => JSON.parse(line) as Line);
      const totals = printed.filter(({ data }) => Object.hasOwn(data, "@k")).map(({ data }) => totalOf(data["@k"]));
      assert.ok(totals.length > 2, out.slice(0, 500));
      assert.equal(
        totals.reduce((sum, total) => sum + total, 0),
        events,
      );
    });

test("programs see an emptied map as empty, and its generations as one map", async () => {
  const script = `begin { @m[1] = 10; @m[2] = 20; @s = 5; @n = len(@m); }
    interval:ms:100 { clear(@m); zero(@s); }
    interval:ms:400 {
      printf("%d %d %d %d\\n", len(@m), has_key(@m, 1), @m[2], @s);
      @m[3] = 7; for ($kv : @m) { printf("%d=%d\\n", $kv.0, $kv.1); }
      printf("%d %d %d\\n", len(@m), delete(@m, 3), has_key(@m, 3)); exit();
    }`;
  const { out } = await run("-q", "-e", script);
  assert.deepEqual(lines(out), ["0 0 0 0", "3=7", "1 1 0", "@n: 2", "@s: 0"]);
});

test("zero() keeps the keys", async () => {
  const script = "begin { @m[1] = 10; @m[2] = count(); @h = hist(5); zero(@m); zero(@h); exit(); }";
  const { out } = await run("-q", "-e", script.replace("@m[2] = count()", "@m[2] = 20"));
  assert.deepEqual(
    lines(out).filter((line) => line.startsWith("@m")),
    ["@m[1]: 0", "@m[2]: 0"],
  );
});
