// Profiles as Go's own reader takes them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pprofBytes } from "../../src/output/pprof.js";
import { stackSamples } from "../../src/output/stack-samples.js";
import type { Frame, MapSnapshot } from "../../src/wire/value.js";

const lacksGo = spawnSync("go", ["version"]).status === 0 ? false : "no go here (Debian: golang-go)";

const frame = (symbol: string | undefined, more: Partial<Frame> = {}): Frame => ({
  address: 0x1000n,
  symbol,
  offset: 4n,
  module: "/bin/shop",
  ...more,
});

const snapshot = (name: string, stacks: readonly (readonly [readonly Frame[], bigint])[]): MapSnapshot => ({
  name,
  keyed: true,
  entries: stacks.map(([frames, value]) => ({
    key: [{ kind: "stack", user: true, mode: "bpftrace", frames }],
    value: { kind: "count", value },
  })),
});

function pprof(t: { after(run: () => void): void }, maps: readonly MapSnapshot[], ...args: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-go-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "profile.pb.gz");
  const samples = maps.flatMap((map) => stackSamples(map) ?? []);
  writeFileSync(file, pprofBytes(samples, 1_700_000_000_000_000_000n));
  const { stdout, stderr, status } = spawnSync("go", ["tool", "pprof", ...args, file], {
    encoding: "utf8",
    env: { ...process.env, HOME: folder, PPROF_TMPDIR: folder },
  });
  assert.equal(status, 0, stderr);
  // What it complains about it says there.
  assert.doesNotMatch(stderr, /malformed|error|unrecognized/i);
  return stdout;
}

const add = frame("add", { source: "/src/a b.c:24", inlined: [{ symbol: "inner", source: "/src/a.h:7" }] });
const stacks = [
  [[add, frame("main", { source: "/src/a b.c:40" })], 7n],
  [[frame("ns::f<int>(char const*)"), frame("main", { source: "/src/a b.c:41" })], 5n],
  [
    [frame(undefined, { module: "/lib/libx.so", reason: "stripped" }), frame("JS:*loop x.js:1:1", { module: "[jit]" })],
    2n,
  ],
] as const;

test("go tool pprof shows the functions and how often they were seen", { skip: lacksGo }, (t) => {
  const text = pprof(t, [snapshot("@", stacks)], "-top", "-nodecount=100", "-nodefraction=0");
  const rows = new Map(
    [...text.matchAll(/^ *(\d+)\S* +\S+% +\S+% +(\d+)\S* +\S+% +(.*)$/gm)].map(([, flat, cum, name]) => [
      (name ?? "").replace(/ \(inline\)$/, ""),
      [Number(flat), Number(cum)],
    ]),
  );
  assert.deepEqual(Object.fromEntries(rows), {
    inner: [7, 7],
    add: [0, 7],
    main: [0, 12],
    "ns::f<int>(char const*)": [5, 5],
    "[libx.so]": [2, 2],
    "JS:*loop x.js:1:1": [0, 2],
  });
  assert.match(text, /^Type: samples$/m);
});

test("go tool pprof has every sample, with files and lines", { skip: lacksGo }, (t) => {
  const text = pprof(t, [snapshot("@", stacks), snapshot("@other", [[[frame("main")], 3n]])], "-raw");
  assert.match(text, /samples\/count.*other\/count/);
  assert.match(text, /^ +7 +0: /m);
  assert.match(text, /^ +0 +3: /m);
  assert.match(text, /add \/src\/a b\.c:24/);
  assert.match(text, /inner \/src\/a\.h:7/);
  assert.match(text, /ns::f<int>\(char const\*\)/);
  for (const file of ["/bin/shop", "/lib/libx.so"]) assert.ok(text.includes(file), file);
});
